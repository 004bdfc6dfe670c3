// The size of an element, followed while the window and what is around it change.
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** A ref to put on an element, and its inner width and height (0 until they are known). */
export function useSize<T extends HTMLElement>(): [{ current: T | null }, number, number] {
  const ref = useRef<T>(null);
  const [[width, height], set] = useState([0, 0]);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => set((old) => {
      const { clientWidth, clientHeight } = element;
      return old[0] === clientWidth && old[1] === clientHeight ? old : [clientWidth, clientHeight];
    });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width, height];
}
