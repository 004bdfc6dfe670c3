// Icons, drawn on a grid of 16 by 16 with lines of 1.5.

const PATHS: Record<string, string> = {
  help: "M6.2 6.2a1.9 1.9 0 1 1 2.6 1.8c-.6.2-.8.6-.8 1.2v.3M8 11.7v.1M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z",
  table: "M2 3.5h12v9H2zM2 6.5h12M2 9.5h12M6.5 6.5v6",
  picture: "M2 3h12v10H2zM2 11l3.5-3.5 2.5 2.5 2-2 4 4M10.5 6v.1",
  save: "M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11",
  widen: "M6 4 2 8l4 4M10 4l4 4-4 4M2 8h12",
  narrow: "M2.5 4v8M13.5 4v8M5 8h6M7 6 5 8l2 2M9 6l2 2-2 2",
  play: "M5 3.2v9.6L12.5 8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  first: "M4 3.5v9M12 3.5 6.5 8l5.5 4.5z",
  last: "M12 3.5v9M4 3.5 9.5 8 4 12.5z",
  back: "M10 3.5 5 8l5 4.5",
  next: "M6 3.5 11 8l-5 4.5",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.8.8M11.8 11.8l.8.8M3.4 12.6l.8-.8M11.8 4.2l.8-.8",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  system: "M2 3h12v8H2zM6 13.5h4M8 11v2.5",
  alarm: "M8 2 14.5 13.5h-13zM8 6.5V9.5M8 11.4v.1",
  check: "M3 8.5 6.5 12 13 4.5",
  up: "M8 12.5v-9M4.5 7 8 3.5 11.5 7",
  down: "M8 3.5v9M4.5 9 8 12.5 11.5 9",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  close: "M4 4l8 8M12 4l-8 8",
  out: "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5 7.5 8.5",
  minus: "M3 8h10",
  plus: "M3 8h10M8 3v10",
  unfold: "M4.5 6.5 8 10l3.5-3.5",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  reset: "M3 3v4h4M3.3 7A5.5 5.5 0 1 1 2.5 9.5",
};

export function Icon({ name }: { name: keyof typeof PATHS | string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name] ?? ""} fill={name === "play" ? "currentColor" : "none"}
        stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"
      />
    </svg>
  );
}
