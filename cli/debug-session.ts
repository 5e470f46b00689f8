/** Who debugs: gdb at a port, or the prompt. What `run` and `boot` do for either is the same. */

import type { Target } from "../debug/target.ts";
import type { DebugInput } from "./debug-input.ts";
import { NodeHost } from "./host/node-host.ts";

export interface DebugOptions {
  /** Port to wait on for gdb. */
  gdb?: number;
  /** The prompt of `osv-vm debug`. */
  prompt?: boolean;
  /** Files whose symbols the prompt reads at the start. */
  symbols?: readonly string[];
}

export function isDebugging({ gdb, prompt }: DebugOptions): boolean {
  return gdb !== undefined || prompt === true;
}

/** This process's standard streams; standard input is shared with the prompt if there is one. */
export async function openDebuggedHost({ prompt }: DebugOptions): Promise<{
  host: NodeHost;
  input: DebugInput | undefined;
}> {
  if (prompt !== true) return { host: await NodeHost.open(), input: undefined };
  const { DebugInput } = await import("./debug-input.ts");
  let input: DebugInput | undefined;
  const host = await NodeHost.open((stream) => {
    input = new DebugInput(stream);
    return input;
  });
  return { host, input };
}

export interface DebugSession {
  /** The guest has ended, and the target has been told: waits until the debugger is done with it. */
  finish(): Promise<void>;
  /** Back to the prompt. */
  interrupt(): void;
}

/**
 * Starts a debugger on a guest that has not run yet.
 * @param input where the prompt's commands come from
 * @throws CommandError if the port cannot be had
 */
export async function startDebugger(
  target: Target,
  options: DebugOptions,
  {
    host,
    input,
    type,
    greeting,
  }: {
    host: NodeHost;
    input: DebugInput | undefined;
    type?: (text: string) => void;
    greeting: string;
  },
): Promise<DebugSession> {
  if (options.prompt === true && input !== undefined) {
    const { DebugPrompt } = await import("./debug-prompt.ts");
    const { symbols = [] } = options;
    const prompt = new DebugPrompt({
      target,
      host,
      input,
      symbols,
      greeting,
      ...(type !== undefined && { type }),
    });
    // The caller has something to arrange before the first command.
    const done = Promise.resolve().then(() => prompt.run());
    return { finish: () => done, interrupt: () => prompt.interrupt() };
  }
  const { GdbServer } = await import("./gdb-server.ts");
  const newline = host.stderr.isTerminal ? "\r\n" : "\n";
  const say = (text: string) => host.say(`${text}${newline}`);
  const server = await GdbServer.listen(options.gdb ?? 0, target, say);
  return { finish: () => server.close(), interrupt: () => target.interrupt() };
}
