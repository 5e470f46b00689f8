/** vCont, c, s, C and S: how threads are to go on (appendix E.2). */

import type { Resumption } from "../target.ts";
import { parseAddress, parseHex } from "./packet.ts";
import { linuxSignal } from "./signals.ts";

export interface ResumeRequest {
  readonly threads: ReadonlyMap<number, Resumption>;
  readonly others: Resumption | undefined;
}

/** A thread's id: -1 for all, 0 for any. */
export function parseThread(text: string): number | undefined {
  return text === "-1" ? -1 : parseHex(text);
}

/** @param actions what stands behind "vCont;" */
export function parseContinue(actions: string): ResumeRequest | undefined {
  const threads = new Map<number, Resumption>();
  let others: Resumption | undefined;
  for (const text of actions.split(";")) {
    const colon = text.indexOf(":");
    const how = parseAction(colon < 0 ? text : text.slice(0, colon));
    if (how === undefined) return undefined;
    const thread = colon < 0 ? -1 : parseThread(text.slice(colon + 1));
    if (thread === undefined) return undefined;
    // The leftmost action for a thread is the one.
    if (thread === -1) others ??= how;
    else if (!threads.has(thread)) threads.set(thread, how);
  }
  return { threads, others };
}

function parseAction(text: string): Resumption | undefined {
  const kind = text[0];
  const rest = text.slice(1);
  if (kind === "r") {
    const [start, end] = rest.split(",").map(parseAddress);
    return start === undefined || end === undefined ? undefined : { step: { start, end } };
  }
  if (kind === "c" || kind === "s") return rest !== "" ? undefined : kind === "s" ? { step: true } : {};
  if (kind !== "C" && kind !== "S") return undefined;
  const signal = parseHex(rest);
  if (signal === undefined) return undefined;
  return { signal: linuxSignal(signal), ...(kind === "S" && { step: true }) };
}
