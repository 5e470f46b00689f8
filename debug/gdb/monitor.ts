/** gdb's `monitor` command: what a target can tell beyond the protocol. */

import type { MonitorCommand, Target } from "../target.ts";

/** Finds the command that a line begins with: names have one or two words. */
export function findMonitorCommand(
  target: Target,
  words: readonly string[],
): { command: MonitorCommand; parameters: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const command = target.monitor.get(words.slice(0, length).join(" "));
    if (command !== undefined && words.length >= length) return { command, parameters: words.slice(length) };
  }
  return undefined;
}

export function runMonitor(target: Target, line: string): string {
  const words = line.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0 || words[0] === "help") return helpOf(target);
  const found = findMonitorCommand(target, words);
  if (found === undefined) return `there is no command ${JSON.stringify(line.trim())}; try: monitor help\n`;
  return found.command.run(found.parameters);
}

function helpOf(target: Target): string {
  const lines = [...target.monitor.values()].map(
    ({ usage, description }) => `${usage.padEnd(22)} ${description}\n`,
  );
  return lines.join("");
}
