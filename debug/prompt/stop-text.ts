/** Why the guest stopped, in a sentence. */

import { signalName } from "../../kernel/sched/signal-numbers.ts";
import type { StopEvent } from "../target.ts";
import type { Debugger } from "./debugger.ts";

function value(bytes: Uint8Array): string {
  const digits = [...bytes].reverse().map((byte) => byte.toString(16).padStart(2, "0"));
  return `0x${digits.slice(0, 16).join("")}${digits.length > 16 ? "…" : ""}`;
}

export function describeStop(debug: Debugger, event: StopEvent): string {
  const { style, code, control, target } = debug;
  if (event.kind === "exited")
    return `${style.paint(`the guest has ended with status ${event.status}`, "bold")}\n`;
  if (event.kind === "killed")
    return `${style.paint(`the guest was killed by ${signalName(event.signal)}`, "bold")}\n`;
  const many = target.threads().length > 1 ? `thread ${event.thread}: ` : "";
  const place = code.place(target.linearRip(event.thread));
  const sentence = (what: string): string => `${style.paint(`${many}${what}`, "bold")} ${place}\n`;
  const points = control.pointsOf(event);
  switch (event.kind) {
    case "breakpoint": {
      const numbers = points.filter(({ isTemporary }) => !isTemporary).map(({ number }) => number);
      return sentence(numbers.length === 0 ? "stopped at" : `breakpoint ${numbers.join(", ")}:`);
    }
    case "watchpoint": {
      const lines = points.map((point) => {
        const now = target.readMemory(point.address, point.length);
        const change = point.kind === "read" ? value(now) : `${value(point.value)} → ${value(now)}`;
        return `${style.paint(`${point.kind === "write" ? "watch" : point.kind} ${point.number}:`, "bold")} ${point.text} ${style.paint(change, "yellow")}\n`;
      });
      return lines.join("") + sentence("behind");
    }
    case "step":
      return sentence("at");
    case "interrupt":
      return sentence("interrupted at");
    case "signal":
      return sentence(`${signalName(event.signal)} at`);
    case "exec":
      return sentence(`executes ${event.path};`);
    case "triple fault":
      return sentence("triple fault: the guest could not handle its own exception, at");
  }
}
