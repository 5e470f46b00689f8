/** Stop replies (appendix E.3): why the target stopped, for whom, and a few registers that gdb wants at once. */

import { registerNamed } from "../registers.ts";
import type { StopEvent, Target, WatchAccess } from "../target.ts";
import { hexOf } from "./packet.ts";
import { valueBytes } from "./register-packets.ts";
import { gdbSignal } from "./signals.ts";

const SIGINT = 2;
const SIGTRAP = 5;
const SIGSEGV = 11;
/** Numbers in the target description. */
const EXPEDITED = [
  ["06", "rbp"],
  ["07", "rsp"],
  ["10", "rip"],
] as const;
const WATCH_NAMES: Readonly<Record<WatchAccess, string>> = {
  write: "watch",
  read: "rwatch",
  access: "awatch",
};

/** What of these the client has said it understands. */
export interface ClientFeatures {
  readonly swbreak: boolean;
  readonly exec: boolean;
}

export function stopReply(target: Target, event: StopEvent, features: ClientFeatures): string {
  if (event.kind === "exited") return `W${hexByte(event.status & 0xff)}`;
  if (event.kind === "killed") return `X${hexByte(gdbSignal(event.signal))}`;
  const fields = [`thread:${event.thread.toString(16)}`];
  let signal = SIGTRAP;
  switch (event.kind) {
    case "breakpoint":
      if (features.swbreak) fields.push("swbreak:");
      break;
    case "watchpoint":
      fields.push(`${WATCH_NAMES[event.access]}:${BigInt.asUintN(64, BigInt(event.address)).toString(16)}`);
      break;
    case "interrupt":
      signal = SIGINT;
      break;
    case "signal":
      signal = event.signal;
      break;
    case "exec":
      if (features.exec) fields.push(`exec:${hexOf(new TextEncoder().encode(event.path))}`);
      break;
    case "triple fault":
      signal = SIGSEGV;
      break;
  }
  const file = target.registers(event.thread);
  if (file !== undefined) {
    for (const [number, name] of EXPEDITED) {
      const spec = registerNamed(name);
      if (spec !== undefined) fields.push(`${number}:${hexOf(valueBytes(spec, file))}`);
    }
  }
  return `T${hexByte(gdbSignal(signal))}${fields.map((field) => `${field};`).join("")}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}
