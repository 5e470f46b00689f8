/**
 * The registry of helpers: the rare, heavy parts of instructions, in TypeScript. A definition calls them with
 * `b.helper(name, args)`; they see the CPU state and up to eight arguments and leave results in the same slots.
 */

import type { Cpu } from "./cpu.ts";

/**
 * Reads its arguments with `cpu.argument*(slot)`, leaves results with `cpu.setResult*(slot, …)`. Raises an exception by
 * `throw new GuestException(vector, error)`, before changing anything.
 */
export type Helper = (cpu: Cpu) => void;

const helpers = new Map<string, Helper>();

export function defineHelper(name: string, helper: Helper): void {
  if (helpers.has(name)) throw new Error(`helper ${name} is defined twice`);
  helpers.set(name, helper);
}

export function helperNamed(name: string): Helper | undefined {
  return helpers.get(name);
}

/** An architectural exception raised while executing an instruction. */
export class GuestException extends Error {
  constructor(
    readonly vector: number,
    readonly errorCode = 0,
    /** What CR2 would hold, for #PF. */
    readonly address = 0,
  ) {
    super(`exception ${vector}`);
    this.name = "GuestException";
  }
}
