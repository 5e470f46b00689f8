/** Prints system calls as strace(1) does. */

import * as ErrnoNames from "../errno.ts";
import { Errno } from "../errno.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import { signalName } from "../sched/signal-numbers.ts";
import type { SignalInfo } from "../sched/signals.ts";
import { BLOCKED, KEEP_REGISTERS, type Thread, YIELD } from "../sched/thread.ts";
import type { ArgumentType, SyscallDefinition, SyscallFunction } from "./definition.ts";

/** How much of a string or buffer is shown (strace -s). */
const STRING_LIMIT = 32;
const AT_FDCWD = -100;

const ERRNO_NAMES = new Map<number, string>(
  Object.entries(ErrnoNames).flatMap(([name, value]) =>
    typeof value === "number" ? [[value, name] as const] : [],
  ),
);

/** "ENOENT" */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** A C string literal. */
function quote(bytes: Uint8Array, more: boolean): string {
  let text = "";
  for (const [index, byte] of bytes.entries()) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte === 0x0a) text += "\\n";
    else if (byte === 0x0d) text += "\\r";
    else if (byte === 0x09) text += "\\t";
    else if (byte === 0x0b) text += "\\v";
    else if (byte === 0x0c) text += "\\f";
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else {
      // Short octal, unless a digit follows.
      const next = bytes[index + 1];
      const digit = next !== undefined && next >= 0x30 && next <= 0x37;
      text += `\\${byte.toString(8).padStart(digit ? 3 : 1, "0")}`;
    }
  }
  return `"${text}"${more ? "..." : ""}`;
}

function hexadecimal(value: number): string {
  return value >= 0 ? `0x${value.toString(16)}` : `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
}

function pointer(value: number): string {
  return value === 0 ? "NULL" : hexadecimal(value);
}

function bufferText(memory: UserMemory, address: number, length: number): string {
  const shown = Math.min(Math.max(0, length), STRING_LIMIT);
  if (address === 0 || !memory.check(address, shown, false)) return pointer(address);
  return quote(memory.read(address, shown), length > shown);
}

function stringText(memory: UserMemory, address: number): string {
  if (address === 0) return "NULL";
  try {
    const text = new TextEncoder().encode(memory.readString(address));
    return quote(text, false);
  } catch (error) {
    if (error instanceof Errno) return pointer(address);
    throw error;
  }
}

function flagsText(value: number, names: Readonly<Record<string, number>>): string {
  let rest = value;
  const parts: string[] = [];
  // Names of several bits (O_SYNC) come before the bits they contain.
  const sorted = Object.entries(names).sort(([, a], [, b]) => (b >>> 0) - (a >>> 0));
  for (const [name, bits] of sorted) {
    if (bits !== 0 && (rest & bits) >>> 0 === bits >>> 0) {
      parts.unshift(name);
      rest &= ~bits;
    }
  }
  const zero = Object.entries(names).find(([, bits]) => bits === 0)?.[0];
  if (parts.length === 0 && rest === 0) return zero ?? "0";
  if (rest !== 0) parts.push(hexadecimal(rest >>> 0));
  return parts.join("|");
}

function argumentText(
  thread: Thread,
  type: ArgumentType,
  value: number,
  next: number,
  result: number,
): string {
  const { memory } = thread;
  if (typeof type === "object") {
    if ("flags" in type) return flagsText(value, type.flags);
    const name = Object.entries(type.oneOf).find(
      ([, number]) => number === (value | 0) || number === value,
    )?.[0];
    return name ?? hexadecimal(value >>> 0);
  }
  switch (type) {
    case "int":
    case "fd":
    case "pid":
    case "tid":
      return String(value | 0);
    case "uint":
      return String(value >>> 0);
    case "dirfd":
      return (value | 0) === AT_FDCWD ? "AT_FDCWD" : String(value | 0);
    case "long":
    case "offset":
    case "size":
      return String(value);
    case "hex":
      return hexadecimal(value);
    case "pointer":
    case "address":
      return pointer(value);
    case "path":
    case "string":
      return stringText(memory, value);
    case "buffer":
      return bufferText(memory, value, next);
    case "outbuffer":
      return result >= 0 ? bufferText(memory, value, result) : pointer(value);
    case "mode":
      return `0${(value & 0o7777).toString(8)}`;
    case "signal":
      return signalName(value | 0);
  }
}

function resultText(result: number, isAddress: boolean): string {
  if (result === KEEP_REGISTERS) return "?";
  if (result < -511 && result > -517) return "? ERESTARTSYS (To be restarted)";
  if (result < 0 && result >= -4095) return `-1 ${errnoName(-result)}`;
  return isAddress ? hexadecimal(result) : String(result);
}

export class SyscallTracer {
  /** @param print gets one line, without its end */
  constructor(private readonly print: (line: string) => void) {}

  /** The same call, printed when it has ended. */
  wrap(definition: SyscallDefinition, call: SyscallFunction): SyscallFunction {
    return (thread, a0, a1, a2, a3, a4, a5) => {
      const values = [a0, a1, a2, a3, a4, a5];
      const types = definition.arguments.map(([, type]) => type);
      // Input is printed as it was before the call.
      const before = types.map((type, index) =>
        type === "outbuffer"
          ? undefined
          : argumentText(thread, type, values[index], values[index + 1] ?? 0, 0),
      );
      const finish = (result: number): number => {
        if (result === BLOCKED) {
          thread.onResult = finish;
          return result;
        }
        const texts = types.map(
          (type, index) =>
            before[index] ?? argumentText(thread, type, values[index], values[index + 1] ?? 0, result),
        );
        const shown = result === YIELD ? 0 : result;
        this.print(
          `[pid ${thread.tid}] ${definition.name}(${texts.join(", ")}) = ${resultText(shown, definition.returnsAddress === true)}`,
        );
        return result;
      };
      if (definition.neverReturns === true) {
        finish(KEEP_REGISTERS);
        return call(thread, a0, a1, a2, a3, a4, a5);
      }
      try {
        const result = call(thread, a0, a1, a2, a3, a4, a5);
        return typeof result === "number"
          ? finish(result)
          : result.then(finish, (error) => finish(errorResult(error)));
      } catch (error) {
        return finish(errorResult(error));
      }
    };
  }

  /** A signal is delivered. */
  signal(thread: Thread, signal: number, info: SignalInfo): void {
    const address = info.address === undefined ? "" : `, si_addr=${hexadecimal(info.address)}`;
    this.print(`[pid ${thread.tid}] --- ${signalName(signal)} {si_code=${info.code}${address}} ---`);
  }

  /** An application ended. */
  exit(pid: number, status: number): void {
    const bySignal = status & 0x7f;
    this.print(
      bySignal === 0
        ? `[pid ${pid}] +++ exited with ${(status >> 8) & 0xff} +++`
        : `[pid ${pid}] +++ killed by ${signalName(bySignal)} +++`,
    );
  }
}

function errorResult(error: unknown): number {
  if (error instanceof Errno) return -error.errno;
  throw error;
}
