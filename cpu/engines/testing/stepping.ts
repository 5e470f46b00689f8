/** The reference for every engine: the interpreter, one instruction at a time. (Silicon vouches for it: test/fuzz.) */

import { Exit } from "../../engine.ts";
import { EXIT_BUDGET } from "../../state.ts";
import { EngineMachine, RAM_SIZE, TEST_ENGINES } from "./machine.ts";

/** What a program can see after a run. */
export interface Observation {
  readonly registers: Record<string, string>;
  /** Why it stopped: an exit, and the exception if it is one. */
  readonly stop: string;
  /** RAM as text, as far as it is not zero: address → 16 bytes. */
  readonly memory: Record<string, string>;
}

/** A program, and what it finds when it starts. */
export interface Program {
  readonly code: readonly number[];
  readonly address?: number;
  readonly prepare?: (machine: EngineMachine) => void;
}

export function startProgram(
  { code, address, prepare }: Program,
  createEngine: ConstructorParameters<typeof EngineMachine>[0],
): EngineMachine {
  const machine = new EngineMachine(createEngine, code, address);
  prepare?.(machine);
  return machine;
}

export function observe(machine: EngineMachine, exit: Exit): Observation {
  const { vector, error, address } = machine.exception;
  const exception =
    exit === Exit.Exception ? ` ${vector} ${error} ${vector === 14 ? address.toString(16) : ""}` : "";
  return { registers: machine.registers, stop: `${exit}${exception}`, memory: memoryText(machine) };
}

function memoryText(machine: EngineMachine): Record<string, string> {
  const { ram } = machine.cpu;
  const words = new BigUint64Array(ram.buffer, 0, RAM_SIZE / 8);
  const found: Record<string, string> = {};
  for (let index = 0; index < words.length; index += 2) {
    if (words[index] === 0n && words[index + 1] === 0n) continue;
    found[(index * 8).toString(16)] = `${words[index].toString(16)} ${words[index + 1].toString(16)}`;
  }
  return found;
}

/** Steps until the program stops by itself or has executed so many instructions. */
export function step(machine: EngineMachine, most: number): { exit: Exit; executed: number } {
  for (let executed = 0; executed < most; executed++) {
    const exit = machine.run(1);
    if (exit !== Exit.Budget) return { exit, executed: executed + 1 - machine.cpu.getI32(EXIT_BUDGET) };
  }
  return { exit: Exit.Budget, executed: most };
}

/** What stepping through a program leaves, and how many instructions that were. */
export function stepThrough(program: Program, most: number): Observation & { executed: number } {
  const machine = startProgram(program, TEST_ENGINES.interp);
  const { exit, executed } = step(machine, most);
  return { ...observe(machine, exit), executed };
}
