/** Commands that have the guest go on. */

import { hexAddress } from "../numbers.ts";
import type { StopEvent } from "../target.ts";
import { breakAddress, type Command, MOST_COUNT, misused } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";

function isStep(event: StopEvent | undefined): boolean {
  return event?.kind === "step";
}

const isPoint = ({ kind }: StopEvent): boolean => kind === "breakpoint" || kind === "watchpoint";

/** Does something several times, as long as nothing comes in between; shows where that leads. */
async function times(
  debug: Debugger,
  text: string | undefined,
  step: () => Promise<StopEvent>,
): Promise<void> {
  let count = text === undefined ? 1 : debug.count(text, MOST_COUNT);
  let event: StopEvent | undefined;
  while (count-- > 0 && !debug.isInterrupted) {
    event = await step();
    if (!isStep(event)) break;
  }
  debug.showStop(event);
}

/** The signal that the guest has stopped for goes on with it. */
function lastSignal(debug: Debugger): number {
  const { last } = debug.control;
  return last?.kind === "signal" ? last.signal : 0;
}

export const RUN_COMMANDS: readonly Command[] = [
  {
    name: "continue",
    aliases: ["c"],
    usage: "continue [COUNT]",
    description: "go on; Ctrl-C stops again. With a count: to that one of the stops",
    repeats: "same",
    needsGuest: true,
    async run(debug, [count = "1"]) {
      let left = debug.count(count, MOST_COUNT);
      let event = await debug.control.continue(lastSignal(debug));
      for (; left > 1 && isPoint(event) && !debug.isInterrupted; left--) {
        debug.control.noteHits(event);
        event = await debug.control.continue();
      }
      debug.showStop(event);
    },
  },
  {
    name: "step",
    aliases: ["s"],
    usage: "step [COUNT]",
    description: "to another source line, into calls; without lines an instruction",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.line(true)),
  },
  {
    name: "next",
    aliases: ["n"],
    usage: "next [COUNT]",
    description: "as step, over calls",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.line(false)),
  },
  {
    name: "stepi",
    aliases: ["si"],
    usage: "stepi [COUNT]",
    description: "one instruction",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.stepInstruction()),
  },
  {
    name: "nexti",
    aliases: ["ni"],
    usage: "nexti [COUNT]",
    description: "one instruction; a call with all that it calls",
    repeats: "same",
    needsGuest: true,
    run: (debug, [count]) => times(debug, count, () => debug.control.nextInstruction()),
  },
  {
    name: "finish",
    aliases: ["fin"],
    usage: "finish",
    description: "until this function has returned",
    needsGuest: true,
    async run(debug) {
      const event = await debug.control.finish();
      if (event === undefined) throw new CommandFailure("nobody knows where this function returns to");
      debug.showStop(event);
      if (isStep(event)) debug.print(`returned 0x${hexAddress(debug.control.register("rax") ?? 0n)}\n`);
    },
  },
  {
    name: "until",
    aliases: ["u", "advance"],
    usage: "until ADDRESS",
    description: "run on to an address",
    needsGuest: true,
    async run(debug, _words, rest) {
      if (rest === "") misused(this);
      debug.showStop(await debug.control.runTo(breakAddress(debug, rest)));
    },
  },
  {
    name: "signal",
    aliases: [],
    usage: "signal NUMBER",
    description: "go on with another signal than the one that stopped; 0: with none",
    needsGuest: true,
    async run(debug, [text = ""]) {
      if (!/^\d+$/.test(text) || Number(text) > 64) misused(this);
      debug.showStop(await debug.control.continue(Number(text)));
    },
  },
];
