// Two axes with a grid, and points that can be read one by one with the pointer or the keyboard.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { axisTexts } from "../format";
import { linear, ticks, type Scale } from "./scale";
import { useSize } from "./size";
import "./plane.css";

/** What the drawing inside of the axes is given. */
export interface Frame {
  x: Scale;
  y: Scale;
  left: number;
  right: number;
  top: number;
  bottom: number;
  width: number;
  height: number;
}

/** Points that can be read one by one. */
export interface Points {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** The order of the arrow keys; the order of the arrays unless given. */
  order?: ArrayLike<number>;
  /** What is told of a point: a title and lines of name and value. */
  tell: (k: number) => { title: string; lines: [string, string][] };
  /** Pressing Enter or the pointer on a point. */
  pick?: (k: number) => void;
  /** Where the arrow keys begin, and what they take along. */
  from?: number;
  moved?: (k: number) => void;
}

export interface PlaneProps {
  label: string;
  /** It is higher where its place is. */
  minHeight?: number;
  x: readonly [number, number];
  y: readonly [number, number];
  xTitle: string;
  yTitle: string;
  points?: Points;
  svg?: { current: SVGSVGElement | null };
  children: (frame: Frame) => ComponentChildren;
  /** Over everything, at the chosen point. */
  chosen?: (k: number, frame: Frame) => ComponentChildren;
}

const NEAR = 28;

/** The next point, from before the first (or after the last) where none is chosen. */
export function stepped(count: number, at: number | null, by: number): number {
  return Math.min(count - 1, Math.max(0, (at ?? (by > 0 ? -1 : count)) + by));
}

export function Plane(props: PlaneProps) {
  const { points } = props;
  const id = useId();
  const [at, setAt] = useState<number | null>(null);
  const [box, width, height] = useSize<HTMLDivElement>();
  const own = useRef<SVGSVGElement>(null);
  const svg = props.svg ?? own;
  const count = points?.x.length ?? 0;
  useEffect(() => {
    if (at !== null && at >= count) setAt(null);
  }, [count]);

  const yTicks = ticks(props.y, Math.max(2, Math.floor(height / 52)));
  const yTexts = axisTexts(yTicks, false);
  const widest = Math.max(3, ...yTexts.map((text) => text.length));
  const left = Math.min(74, 22 + 6.4 * widest), right = width - 10, top = 10, bottom = height - 38;
  const minHeight = { minHeight: `${props.minHeight ?? 300}px` };
  if (right - left < 40) return <div class="plane" ref={box} style={minHeight} />;
  const xTicks = ticks(props.x, Math.max(2, Math.floor((right - left) / 90))), xTexts = axisTexts(xTicks, false);
  const x = linear(props.x, [left, right]), y = linear(props.y, [bottom, top]);
  const frame: Frame = { x, y, left, right, top, bottom, width, height };
  const order = points?.order;
  const index = at === null ? null : order ? order[at] : at;
  const told = points && index !== null && index !== undefined && index < count ? points.tell(index) : null;

  const nearest = (event: PointerEvent): number | null => {
    if (!points) return null;
    const rect = box.current!.getBoundingClientRect();
    const px = event.clientX - rect.left, py = event.clientY - rect.top;
    let best: number | null = null, distance = NEAR * NEAR;
    for (let k = 0; k < count; k++) {
      const where = order ? order[k] : k;
      const d = (x(points.x[where]) - px) ** 2 + (y(points.y[where]) - py) ** 2;
      if (d < distance) {
        distance = d;
        best = k;
      }
    }
    return best;
  };

  const onKey = (event: KeyboardEvent) => {
    if (!count || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = Math.max(1, Math.round(count / 10));
    const moves: Record<string, number> = {
      ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: far, PageDown: -far,
      Home: -count, End: count,
    };
    if (event.key in moves) {
      const next = stepped(count, points?.from ?? at, moves[event.key]);
      setAt(next);
      points?.moved?.(order ? order[next] : next);
    }
    else if (event.key === "Escape" && at !== null) setAt(null);
    else if (event.key === "Enter" && index !== null && points?.pick) points.pick(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const text = told
    ? `${told.title}. ${told.lines.map(([name, value]) => `${name} ${value}`).join(", ")}`
    : `${count} points; arrow keys read them one by one`;
  const tipX = told ? x(points!.x[index!]) : 0, tipY = told ? y(points!.y[index!]) : 0;
  const isLeft = tipX > (left + right) / 2;

  const reading = count ? {
    role: "slider", tabIndex: 0, "aria-label": props.label, "aria-valuemin": 0,
    "aria-valuemax": count, "aria-valuenow": at === null ? 0 : at + 1, "aria-valuetext": text,
    onKeyDown: onKey, onBlur: () => setAt(null),
    onPointerMove: (event: PointerEvent) => setAt(nearest(event)),
    onPointerLeave: () => setAt(null),
    onClick: (event: MouseEvent) => {
      const k = nearest(event as PointerEvent);
      if (k !== null) points?.pick?.(order ? order[k] : k);
    },
  } : { role: "img", "aria-label": props.label };

  return (
    <div class="plane" ref={box} style={minHeight} data-own-keys {...(reading as object)}>
      <svg
        ref={svg} width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true"
      >
        <clipPath id={`${id}-clip`}>
          <rect x={left} y={top} width={right - left} height={bottom - top} />
        </clipPath>
        <g class="plane-grid">
          {xTicks.map((value, k) => (
            <g key={value}>
              <line x1={x(value)} x2={x(value)} y1={top} y2={bottom} />
              <text x={x(value)} y={bottom + 15} text-anchor="middle">{xTexts[k]}</text>
            </g>
          ))}
          {yTicks.map((value, k) => (
            <g key={value}>
              <line x1={left} x2={right} y1={y(value)} y2={y(value)} />
              <text x={left - 6} y={y(value) + 3.5} text-anchor="end">{yTexts[k]}</text>
            </g>
          ))}
        </g>
        <g clip-path={`url(#${id}-clip)`}>{props.children(frame)}</g>
        <path class="plane-axes" d={`M${left} ${top}V${bottom}H${right}`} />
        <text class="plane-title" x={(left + right) / 2} y={height - 6} text-anchor="middle">
          {props.xTitle}
        </text>
        <text
          class="plane-title" transform={`translate(11 ${(top + bottom) / 2}) rotate(-90)`}
          text-anchor="middle"
        >{props.yTitle}</text>
        {told && (
          <g class="plane-chosen">
            {props.chosen?.(index!, frame)}
            <circle cx={tipX} cy={tipY} r="7" />
          </g>
        )}
      </svg>
      {told && (
        <div
          class="tip" aria-hidden="true"
          style={{
            left: isLeft ? "auto" : `${tipX + 14}px`, right: isLeft ? `${width - tipX + 14}px` : "auto",
            top: `${Math.max(0, Math.min(height - 30 - 20 * told.lines.length, tipY - 18))}px`,
          }}
        >
          <b>{told.title}</b>
          <dl>
            {told.lines.map(([name, value]) => (
              <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
            ))}
          </dl>
        </div>
      )}
    </div>
  );
}
