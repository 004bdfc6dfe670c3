// A choice of one among a few, as buttons side by side.

export function Pick<T extends string>({ label, options, value, choose }: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  choose: (value: T) => void;
}) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button
          key={key} type="button" aria-pressed={key === value} onClick={() => choose(key)}
        >{text}</button>
      ))}
    </div>
  );
}

export const AXES = [["linear", "linear"], ["log", "log"]] as const;
