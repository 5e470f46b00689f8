/** Every instruction that is executed, with the registers that it changes, as lines of a file. */

import { registerNamed } from "../registers.ts";
import type { StopEvent } from "../target.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";

const NAMES = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 eflags".split(" ");
const SPECS = NAMES.flatMap((name) => registerNamed(name) ?? []);

export async function traceToFile(debug: Debugger, path: string | undefined, most: number): Promise<void> {
  if (path === undefined) throw new CommandFailure("usage: trace FILE [COUNT]");
  let file: ReturnType<Debugger["host"]["writeFile"]>;
  try {
    file = debug.host.writeFile(path);
  } catch (error) {
    throw new CommandFailure(`${path}: ${error instanceof Error ? error.message : "cannot be written"}`);
  }
  const { control, code, target, files } = debug;
  let event: StopEvent = { kind: "step", thread: control.thread };
  let count = 0;
  const values = new Array<bigint>(SPECS.length).fill(0n);
  const look = (): string => {
    const registers = target.registers(control.thread);
    if (registers === undefined) return "";
    let changes = "";
    SPECS.forEach((spec, index) => {
      const value = spec.read(registers);
      if (value !== values[index] && count > 0) changes += ` ${spec.name}=${value.toString(16)}`;
      values[index] = value;
    });
    return changes;
  };
  look();
  try {
    while (count < most && event.kind === "step" && !debug.isInterrupted) {
      const { rip } = control;
      if (count > 0 && control.hasBreakpoint(rip)) break;
      const [instruction] = code.instructionsAt(rip, 1);
      const place = files.describe(rip) ?? "";
      const text = `${BigInt.asUintN(64, BigInt(rip)).toString(16).padStart(16, "0")} ${place.padEnd(24)} ${(instruction?.text ?? "").padEnd(40)}`;
      event = await control.stepInstruction();
      count++;
      file.write(`${text}${look()}`.trimEnd().concat("\n"));
    }
  } finally {
    file.close();
  }
  debug.print(`${count.toLocaleString("en")} instructions in ${path}\n`);
  debug.showStop(event);
}
