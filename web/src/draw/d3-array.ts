// What d3-contour takes from d3-array, to find thresholds where none are given; here they always are.
export { extent, ticks } from "./scale";

const absent = (): never => {
  throw new Error("Thresholds have to be given.");
};

export {
  absent as blur2, absent as max, absent as nice, absent as thresholdSturges, absent as tickStep,
};
