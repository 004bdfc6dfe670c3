// The window onto the picture of the graph: zoom, pan, fit, and what lies inside of it.

export interface View {
  /** Place on the screen = place in the graph * k + (x, y). */
  k: number;
  x: number;
  y: number;
}

export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const LEAST = 0.005;
const MOST = 2.5;

export function zoomed(view: View, factor: number, px: number, py: number): View {
  const k = Math.min(MOST, Math.max(LEAST, view.k * factor));
  return { k, x: px - ((px - view.x) * k) / view.k, y: py - ((py - view.y) * k) / view.k };
}

/** All of a picture in the middle of a window, below what lies at its top. */
export function fitted(
  picture: { width: number; height: number }, width: number, height: number, top = 0, pad = 16,
): View {
  const tall = height - top;
  const k = Math.max(LEAST, Math.min(
    1.15, (width - 2 * pad) / (picture.width || 1), (tall - 2 * pad) / (picture.height || 1),
  ));
  return { k, x: (width - picture.width * k) / 2, y: top + (tall - picture.height * k) / 2 };
}

/** The part of the graph that a window shows, with a margin in places of the screen. */
export function seen(view: View, width: number, height: number, margin = 40): Area {
  return {
    left: (-margin - view.x) / view.k, top: (-margin - view.y) / view.k,
    right: (width + margin - view.x) / view.k, bottom: (height + margin - view.y) / view.k,
  };
}

/** The view moved as little as puts a box into the window. */
export function revealed(
  view: View, box: { x: number; y: number; width: number; height: number }, width: number, height: number,
): View {
  const pad = 24;
  const shift = (low: number, high: number, size: number) => {
    if (high - low > size - 2 * pad) return size / 2 - (low + high) / 2;
    if (low < pad) return pad - low;
    return high > size - pad ? size - pad - high : 0;
  };
  const left = (box.x - box.width / 2) * view.k + view.x, top = (box.y - box.height / 2) * view.k + view.y;
  return {
    k: view.k, x: view.x + shift(left, left + box.width * view.k, width),
    y: view.y + shift(top, top + box.height * view.k, height),
  };
}
