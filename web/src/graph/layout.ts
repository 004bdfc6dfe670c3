// Where the boxes of the graph stand: in layers, with few crossings and straight wires, after
// Sugiyama, Tagawa and Toda (1981). Quick enough for thousands of boxes, so that opening a
// function needs no worker; a chain too long for the picture is folded into columns.

export interface Box {
  key: string;
  width: number;
  height: number;
}

export interface Wire {
  from: string;
  to: string;
}

export interface Point {
  x: number;
  y: number;
  /** Where the way here passes between two columns, across the flow. */
  gap?: number;
}

export interface Piece {
  from: Point;
  to: Point;
  /** The last piece of a wire, which has its arrow. */
  isEnd: boolean;
}

export interface Placed {
  x: Map<string, number>;
  y: Map<string, number>;
  width: number;
  height: number;
  /** Corners of each wire, from the edge of its first box to the edge of its second. */
  bends: Point[][];
  /** All wires in pieces, each drawn once: wires of one box share the most of their way. */
  pieces: Piece[];
  /** Whether the flow runs down the page (or else to the right). */
  isDown: boolean;
}

const GAP = 20;
const RANK = 36;
const BETWEEN = 70;
/** At this zoom the text of a box is read with ease. */
const READABLE = 0.75;

/** A box, or the place where a long wire passes a layer; wires of one box share their places. */
interface Spot {
  layer: number;
  /** Size across the flow and along it. */
  across: number;
  along: number;
  /** Spots of the layer before and of the layer after that it is joined to. */
  up: Spot[];
  down: Spot[];
  /** Place across the flow, and in its layer. */
  at: number;
  order: number;
  isBox: boolean;
}

/** Layers: one after the highest of what feeds a box; what nothing feeds, before its first user. */
export function layersOf(boxes: Box[], wires: Wire[]): Map<string, number> {
  const out = new Map<string, string[]>(boxes.map((box) => [box.key, []]));
  for (const { from, to } of wires) out.get(from)!.push(to);
  // Closed functions can feed each other in a circle: the wire that closes it does not count.
  const isDone = new Map<string, boolean>();
  const forward = new Map<string, string[]>(boxes.map((box) => [box.key, []]));
  const order: string[] = [];
  for (const box of boxes) {
    const stack: [string, number][] = isDone.has(box.key) ? [] : [[box.key, 0]];
    while (stack.length) {
      const top = stack[stack.length - 1];
      isDone.set(top[0], false);
      const next = out.get(top[0])![top[1]++];
      if (next === undefined) {
        isDone.set(top[0], true);
        order.push(top[0]);
        stack.pop();
      } else {
        if (isDone.get(next) !== false) forward.get(top[0])!.push(next);
        if (!isDone.has(next)) stack.push([next, 0]);
      }
    }
  }
  const layer = new Map<string, number>();
  const fed = new Set<string>();
  for (const key of order.reverse()) {
    const at = layer.get(key) ?? 0;
    layer.set(key, at);
    for (const next of forward.get(key)!) {
      layer.set(next, Math.max(layer.get(next) ?? 0, at + 1));
      fed.add(next);
    }
  }
  for (const { key } of boxes) {
    const users = forward.get(key)!.map((one) => layer.get(one)!);
    if (!fed.has(key) && users.length) layer.set(key, Math.min(...users) - 1);
  }
  return layer;
}

/** Wires that cross between two layers, counted by the pairs of their ends. */
export function crossings(rows: Spot[][]): number {
  let found = 0;
  for (const row of rows) {
    const ends = row.flatMap((spot) => spot.down.map((one) => one.order).sort((a, b) => a - b));
    // Ends in a Fenwick tree: how many of those before lie farther on.
    const size = 1 + Math.max(0, ...ends), tree = new Int32Array(size + 1);
    ends.forEach((end, k) => {
      let before = 0;
      for (let i = end + 1; i > 0; i -= i & -i) before += tree[i];
      found += k - before;
      for (let i = end + 1; i <= size; i += i & -i) tree[i]++;
    });
  }
  return found;
}

function number(rows: Spot[][]): void {
  for (const row of rows) row.forEach((spot, k) => (spot.order = k));
}

/** By how much the wires of two neighbours cross less the other way round. */
function gain(left: Spot, right: Spot): number {
  let found = 0;
  for (const side of ["up", "down"] as const) {
    for (const a of left[side]) for (const b of right[side]) found += Math.sign(a.order - b.order);
  }
  return found;
}

/** Let neighbours change places as long as that saves crossings. */
function swap(rows: Spot[][]): void {
  for (let isBetter = true, pass = 0; isBetter && pass < 8; pass++) {
    isBetter = false;
    for (const row of rows) {
      for (let k = 1; k < row.length; k++) {
        const [a, b] = [row[k - 1], row[k]];
        if (gain(a, b) > 0) {
          [row[k - 1], row[k], a.order, b.order] = [b, a, k, k - 1];
          isBetter = true;
        }
      }
    }
  }
}

/** Sort the layers by the mean place of their neighbours, down and up, and let neighbours change
 * places; keep the best order found. */
function untangle(rows: Spot[][], sweeps: number): void {
  number(rows);
  let best = rows.map((row) => [...row]), least = crossings(rows);
  for (let sweep = 0; sweep < sweeps && least > 0; sweep++) {
    const isDown = sweep % 2 === 0, tie = sweep & 2 ? -1 : 1;
    for (const row of isDown ? rows : [...rows].reverse()) {
      const wish = new Map(row.map((spot) => {
        const near = isDown ? spot.up : spot.down;
        return [spot, near.length ? near.reduce((sum, one) => sum + one.order, 0) / near.length : spot.order];
      }));
      row.sort((a, b) => wish.get(a)! - wish.get(b)! || tie * (a.order - b.order));
      row.forEach((spot, k) => (spot.order = k));
    }
    swap(rows);
    const now = crossings(rows);
    if (now < least) {
      least = now;
      best = rows.map((row) => [...row]);
    }
  }
  best.forEach((row, k) => (rows[k] = row));
  number(rows);
}

/** How much a spot counts: long wires are to be straight, and what nothing feeds follows its user. */
const weight = (spot: Spot) => (spot.isBox ? (spot.up.length ? 1 : 1e-4) : 4);

/** Places as near to the wishes as the widths allow, in a given order: isotonic regression. */
function pack(row: Spot[], wish: (spot: Spot) => number): void {
  const clusters: { from: number; weight: number; sum: number }[] = [];
  const offset: number[] = [];
  row.forEach((spot, k) => {
    const before = row[k - 1];
    offset[k] = before
      ? offset[k - 1] + (before.across + spot.across) / 2 + (before.isBox && spot.isBox ? GAP : GAP / 2) : 0;
    let one = { from: k, weight: weight(spot), sum: weight(spot) * (wish(spot) - offset[k]) };
    let last = clusters[clusters.length - 1];
    while (last && last.sum / last.weight > one.sum / one.weight) {
      clusters.pop();
      one = { from: last.from, weight: last.weight + one.weight, sum: last.sum + one.sum };
      last = clusters[clusters.length - 1];
    }
    clusters.push(one);
  });
  clusters.forEach(({ from, weight: heavy, sum }, c) => {
    const end = c + 1 < clusters.length ? clusters[c + 1].from : row.length;
    for (let k = from; k < end; k++) row[k].at = sum / heavy + offset[k];
  });
}

/** Where neighbours want a spot. */
function mean(near: Spot[], spot: Spot): number {
  let sum = 0, heavy = 0;
  for (const one of near) {
    sum += Math.min(1, weight(one)) * one.at;
    heavy += Math.min(1, weight(one));
  }
  return heavy ? sum / heavy : spot.at;
}

/** Move whole layers so that a long graph does not wander off to one side. */
function straighten(rows: Spot[][]): void {
  const reach = 12;
  const middles = rows.map((row) => row.reduce((sum, spot) => sum + spot.at, 0) / row.length);
  rows.forEach((row, k) => {
    const near = middles.slice(Math.max(0, k - reach), k + reach + 1);
    // The first and the last layers have fewer neighbours on one side, and so keep their slope.
    const drift = near.reduce((sum, one) => sum + one, 0) / near.length;
    if (rows.length > 4 * reach) row.forEach((spot) => (spot.at -= drift));
  });
}

/** Join boxes by wires through the layers between them. */
function thread(boxes: Box[], wires: Wire[], layer: Map<string, number>, isDown: boolean) {
  const spots = new Map<string, Spot>();
  const rows: Spot[][] = [];
  const put = (at: number, across: number, along: number, isBox: boolean): Spot => {
    const row = (rows[at] ??= []);
    const spot = { layer: at, across, along, up: [], down: [], at: 0, order: 0, isBox };
    row.push(spot);
    return spot;
  };
  for (const { key, width, height } of boxes) {
    spots.set(key, put(layer.get(key)!, isDown ? width : height, isDown ? height : width, true));
  }
  for (let k = 0; k < rows.length; k++) rows[k] ??= [];
  const trunks = new Map<Spot, Spot[]>();
  // Among very many boxes a wire over many layers goes straight, as its way would fill the picture.
  const far = boxes.length > 400 ? 10 : Infinity;
  const ways = wires.map(({ from, to }) => {
    const a = spots.get(from)!, b = spots.get(to)!;
    const isBack = a.layer > b.layer;
    const [high, low] = isBack ? [b, a] : [a, b];
    if (high.layer === low.layer || low.layer - high.layer > far) return [a, b];
    const trunk = trunks.get(high) ?? [high];
    trunks.set(high, trunk);
    while (trunk.length < low.layer - high.layer) {
      const last = trunk[trunk.length - 1];
      const next = put(high.layer + trunk.length, 4, 0, false);
      last.down.push(next);
      next.up.push(last);
      trunk.push(next);
    }
    const way = trunk.slice(0, low.layer - high.layer);
    const last = way[way.length - 1];
    last.down.push(low);
    low.up.push(last);
    way.push(low);
    return isBack ? way.reverse() : way;
  });
  return { spots, rows, ways };
}

/** Place boxes in layers; the flow runs down, or to the right. */
function layered(
  boxes: Box[], wires: Wire[], layer: Map<string, number>, isDown: boolean, width: number, height: number,
): Placed {
  const { spots, rows, ways } = thread(boxes, wires, layer, isDown);
  const count = rows.reduce((sum, row) => sum + row.length, 0);
  untangle(rows, count > 3000 ? 4 : 16);
  rows.forEach((row) => pack(row, (spot) => spot.order * 60));
  for (let sweep = 0; sweep < 12; sweep++) {
    const [list, side] = sweep % 2 ? [[...rows].reverse(), "down" as const] : [rows, "up" as const];
    for (const row of list) pack(row, (spot) => mean(spot[side], spot));
  }
  for (let sweep = 0; sweep < (count > 400 ? 4 : 40); sweep++) {
    for (const row of sweep % 2 ? rows : [...rows].reverse()) pack(row, (spot) => mean([...spot.up, ...spot.down], spot));
  }
  straighten(rows);
  const all = rows.flat();
  const low = Math.min(...all.map((spot) => spot.at - spot.across / 2));
  const breadth = Math.max(...all.map((spot) => spot.at + spot.across / 2)) - low;

  // A long chain is folded into columns, as text is.
  const depths = rows.map((row) => Math.max(0, ...row.map((spot) => spot.along)) + RANK);
  const total = depths.reduce((sum, one) => sum + one, 0);
  const room = isDown ? [width, height] : [height, width];
  const zoom = (count: number) => (
    Math.min(room[0] / (count * (breadth + BETWEEN) - BETWEEN), room[1] / (total / count)));
  let columns = 1;
  while (columns < 40 && zoom(columns) < READABLE && zoom(columns + 1) > zoom(columns)) columns++;
  const middle: number[] = [], shift: number[] = [];
  let reached = 0, column = 0, start = 0, deepest = 0;
  depths.forEach((depth, k) => {
    const here = Math.min(columns - 1, Math.floor((reached + depth / 2) / (total / columns)));
    if (here > column) start = reached;
    column = here;
    middle[k] = reached - start + depth / 2;
    shift[k] = column * (breadth + BETWEEN) - low;
    reached += depth;
    deepest = Math.max(deepest, reached - start);
  });
  const point = (spot: Spot, off = 0, side = 0): Point => {
    const across = spot.at + shift[spot.layer] + off, along = middle[spot.layer] + (side * spot.along) / 2;
    return isDown ? { x: across, y: along } : { x: along, y: across };
  };
  const x = new Map<string, number>(), y = new Map<string, number>();
  spots.forEach((spot, key) => {
    const at = point(spot);
    x.set(key, at.x);
    y.set(key, at.y);
  });
  // Where wires touch a box: spread over its side in the order of where they go.
  const port = (spot: Spot, near: Spot[], other: Spot): number => {
    const sorted = [...new Set(near)].sort((a, b) => a.at - b.at);
    const room = Math.min(0.7 * spot.across, 26 * (sorted.length - 1));
    return sorted.length > 1 ? room * (sorted.indexOf(other) / (sorted.length - 1) - 0.5) : 0;
  };
  const drawn = new Map<Spot, Set<Spot>>();
  const pieces: Piece[] = [];
  const columnOf = (spot: Spot) => Math.round((shift[spot.layer] + low) / (breadth + BETWEEN));
  let passed = 0;
  const bends = ways.map((way) => {
    const last = way.length - 1;
    const points = way.map((spot, k) => {
      if (k > 0 && k < last) return point(spot);
      const other = way[k ? last - 1 : 1];
      const isUnder = other.layer > spot.layer;
      if (other.layer === spot.layer) return point(spot);
      return point(spot, port(spot, isUnder ? spot.down : spot.up, other), isUnder ? 1 : -1);
    });
    for (let k = 0; k < last; k++) {
      const from = columnOf(way[k]);
      if (columnOf(way[k + 1]) > from) {
        const right = (from + 1) * (breadth + BETWEEN) - BETWEEN / 2;
        points[k + 1].gap = right + ((passed++ * 6) % 36) - 18;
      }
      const known = drawn.get(way[k]) ?? new Set();
      drawn.set(way[k], known);
      if (!known.has(way[k + 1])) pieces.push({ from: points[k], to: points[k + 1], isEnd: k === last - 1 });
      known.add(way[k + 1]);
    }
    return points;
  });
  const wide = (column + 1) * breadth + column * BETWEEN;
  return { x, y, width: isDown ? wide : deepest, height: isDown ? deepest : wide, bends, pieces, isDown };
}

/** Place boxes so that they fill a picture of this width and height well. */
export function arrange(boxes: Box[], wires: Wire[], width: number, height: number): Placed {
  const layer = layersOf(boxes, wires);
  const down = layered(boxes, wires, layer, true, width, height);
  if (boxes.length > 400) return down;
  const right = layered(boxes, wires, layer, false, width, height);
  const zoom = (placed: Placed) => Math.min(1, width / placed.width, height / placed.height);
  return zoom(right) > 1.15 * zoom(down) ? right : down;
}
