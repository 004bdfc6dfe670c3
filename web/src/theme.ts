// Colours of both themes, which are CSS variables too, and scales of colour for heat maps.
import { computed, effect, signal } from "@preact/signals";

export interface Palette {
  /** Behind everything; of panels; of what lies in panels. */
  ground: string;
  surface: string;
  sunken: string;
  line: string;
  grid: string;
  text: string;
  muted: string;
  accent: string;
  onAccent: string;
  accentSoft: string;
  good: string;
  warning: string;
  bad: string;
  goodSoft: string;
  warningSoft: string;
  badSoft: string;
  /** Okabe and Ito's colours, darkened or lightened to 3 : 1 on the surface; told apart by
   * people with any colour blindness in this order, together with DASHES. */
  series: string[];
}

const LIGHT: Palette = {
  ground: "#f4f5f3",
  surface: "#ffffff",
  sunken: "#f6f7f5",
  line: "#dfe2dd",
  grid: "#eceeea",
  text: "#1b1f1d",
  muted: "#5a625e",
  accent: "#1f5fae",
  onAccent: "#ffffff",
  accentSoft: "#e6eef8",
  good: "#00694c",
  warning: "#8a5200",
  bad: "#b3261e",
  goodSoft: "#e2f2ec",
  warningSoft: "#faf0dc",
  badSoft: "#fbe7e5",
  series: ["#0b68ad", "#c8500a", "#00805d", "#a34d86", "#a87400", "#2f8fc4", "#4b4f4d"],
};

const DARK: Palette = {
  ground: "#0f1211",
  surface: "#171b1a",
  sunken: "#1d2221",
  line: "#2c3331",
  grid: "#232928",
  text: "#e7ebe9",
  muted: "#a0aaa6",
  accent: "#7db4f0",
  onAccent: "#0c1a2a",
  accentSoft: "#1b2b3e",
  good: "#5fcda5",
  warning: "#e5b15a",
  bad: "#ff8a80",
  goodSoft: "#15312a",
  warningSoft: "#35290f",
  badSoft: "#3d1f1d",
  series: ["#5aaef0", "#f28a4b", "#3fc49a", "#dd95c2", "#e3b341", "#9ad4f5", "#b9c1be"],
};

/** Patterns of lines, in the order of `series`. */
export const DASHES: number[][] = [[], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [1, 3], [4, 2]];

export type Choice = "system" | "light" | "dark";
export const choice = signal<Choice>(stored());
const systemDark = signal(false);
export const isDark = computed(() => (
  choice.value === "system" ? systemDark.value : choice.value === "dark"));
export const palette = computed(() => (isDark.value ? DARK : LIGHT));

export function seriesColor(k: number): string {
  return palette.value.series[k % LIGHT.series.length];
}

function stored(): Choice {
  try {
    const kept = localStorage.getItem("gradtape-theme");
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // a sandboxed frame has no storage
  }
}

export function choose(next: Choice): void {
  choice.value = next;
  try {
    localStorage.setItem("gradtape-theme", next);
  } catch {
    // shown all the same, forgotten when the page is closed
  }
}

/** Keep the colours of an element and its theme the same; returns what stops it. */
export function paint(root: HTMLElement): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const heard = () => {
    systemDark.value = query.matches;
  };
  heard();
  query.addEventListener("change", heard);
  const stop = effect(() => {
    const named: Record<string, string | string[]> = { ...palette.value };
    for (const [name, value] of Object.entries(named)) {
      if (typeof value === "string") {
        const dashed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        root.style.setProperty(`--${dashed}`, value);
      } else value.forEach((color, k) => root.style.setProperty(`--series-${k}`, color));
    }
    root.style.colorScheme = isDark.value ? "dark" : "light";
    root.dataset.theme = isDark.value ? "dark" : "light";
  });
  return () => {
    query.removeEventListener("change", heard);
    stop();
  };
}

export function isCalm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

type Stop = [number, number, number];

// Viridis (CC0, by Stéfan van der Walt and Nathaniel Smith): even in lightness, and even to
// people with any colour blindness.
const VIRIDIS: Stop[] = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];

// Blue over neutral to orange, for what is below and above.
const BALANCE: Stop[] = [
  [11, 83, 148], [63, 136, 191], [146, 190, 219], [236, 236, 232],
  [240, 190, 150], [217, 125, 60], [160, 70, 5],
];

function between(stops: Stop[], share: number): Stop {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  return [0, 1, 2].map((c) => (
    Math.round(stops[k][c] + (at - k) * (stops[k + 1][c] - stops[k][c])))) as Stop;
}

/** Red, green and blue (0 to 255) of a share in [0, 1] of the range of a heat map. */
export function sequential(share: number): Stop {
  return between(VIRIDIS, share);
}

export function diverging(share: number): Stop {
  return between(BALANCE, share);
}

export function css([r, g, b]: Stop): string {
  return `rgb(${r} ${g} ${b})`;
}
