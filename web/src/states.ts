// How the states of a run are called, and the tone in which they are shown.
import type { Status } from "./types";

export const STATES: Record<Status, [string, string]> = {
  running: ["running", "accent"],
  finished: ["finished", "good"],
  failed: ["crashed", "bad"],
  stopped: ["stopped", "warning"],
  interrupted: ["interrupted", "warning"],
  incomplete: ["incomplete", "bad"],
  unreadable: ["unreadable", "bad"],
};
