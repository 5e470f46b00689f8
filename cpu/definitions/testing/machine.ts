/** A CPU with a little flat memory and the interpreter, to run single instructions on: for tests. */

import { Access, type Translation, type Translator } from "../../../mmu/translator.ts";
import { Cpu } from "../../cpu.ts";
import { Exit } from "../../engine.ts";
import { generateInterpreter } from "../../engines/interp/build.ts";
import { InterpreterEngine } from "../../engines/interp/engine.ts";
import type { InterpreterCode } from "../../engines/interp/parts.ts";
import { EXCEPTION_VECTOR, Vector, XMM, XMM_STRIDE } from "../../state.ts";

const RAM_SIZE = 1 << 18;
const CODE = 0x1_0000;
const INT3 = 0xcc;
/** Memory for operands: a page with nothing behind it. */
export const DATA = 0x2_0000;
export const PAGE_SIZE = 4096;

/** Virtual = physical, but only code and data are there. */
const identity: Translator = {
  translate(virtual: number, access: Access, out: Translation): boolean {
    const page = virtual - (virtual % PAGE_SIZE);
    if (page !== CODE && page !== DATA) {
      out.errorCode = access === Access.Write ? 6 : 4;
      return false;
    }
    out.physicalPage = page;
    out.rights = Access.Read | Access.Write | Access.Execute;
    return true;
  },
};

let compiled: InterpreterCode | undefined;

export class Machine {
  readonly cpu: Cpu;
  private readonly engine: InterpreterEngine;
  private end = CODE;
  /** Where each piece of code is. */
  private readonly placed = new Map<string, number>();

  constructor() {
    compiled ??= generateInterpreter();
    const host = { timeStampCounter: () => 0, random: () => undefined };
    this.cpu = new Cpu({ ramSize: RAM_SIZE, translator: identity, host });
    this.engine = new InterpreterEngine(this.cpu, compiled, { pairsAfter: 0 });
  }

  /** Executes instructions. @returns the vector of the exception they raised, or undefined */
  run(code: readonly number[]): number | undefined {
    const key = code.join();
    let start = this.placed.get(key);
    if (start === undefined) {
      start = this.end;
      this.cpu.ram.set([...code, INT3], start);
      this.end += code.length + 1;
      if (this.end > CODE + PAGE_SIZE) throw new Error("too much code for the test machine");
      this.placed.set(key, start);
    }
    this.cpu.rip = start;
    if (this.engine.run(1000) !== Exit.Exception) throw new Error("the code does not end");
    const vector = this.cpu.getI32(EXCEPTION_VECTOR);
    return vector === Vector.BP ? undefined : vector;
  }

  /** The bytes of a YMM register, live. */
  ymm(index: number): Uint8Array {
    return this.cpu.stateBytes(XMM + index * XMM_STRIDE, XMM_STRIDE);
  }

  /** The bytes of an XMM register, live. */
  xmm(index: number): Uint8Array {
    return this.cpu.stateBytes(XMM + index * XMM_STRIDE, 16);
  }
}
