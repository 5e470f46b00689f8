/** Interrupts and exceptions on their way to a handler: Intel SDM vol. 3, 6.3 and 6.4. */

import { ExceptionSource, Vector } from "../state.ts";

/** An interrupt or exception on its way to its handler. */
export interface Event {
  readonly vector: number;
  readonly errorCode: number | undefined;
  /** What CR2 gets. */
  readonly address: number;
  readonly source: number;
  /** Software interrupts: the address behind the instruction. RIP is at it until it is clear that it raises no fault. */
  readonly next?: number;
  /** #DB that comes before its instruction: RF is set in the image of the flags. */
  readonly isFault?: boolean;
}

/** Exceptions that push an error code (SDM vol. 3, table 6-1). */
const HAS_ERROR_CODE = new Set<number>([
  Vector.DF,
  Vector.TS,
  Vector.NP,
  Vector.SS,
  Vector.GP,
  Vector.PF,
  Vector.AC,
]);
export function exceptionEvent(vector: number, errorCode: number, address = 0): Event {
  return {
    vector,
    errorCode: HAS_ERROR_CODE.has(vector) ? errorCode : undefined,
    address,
    source: ExceptionSource.Processor,
  };
}

/** INTR, or NMI. */
export function interruptEvent(vector: number): Event {
  return { vector, errorCode: undefined, address: 0, source: ExceptionSource.External };
}
