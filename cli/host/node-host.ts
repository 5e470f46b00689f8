/** The kernel's {@link Host} on Node: clock, entropy and the standard streams of this process. */

import * as fs from "node:fs";
import type { Entropy, Host, HostStream } from "../../kernel/host.ts";
import { touchMemory } from "./memory-toucher.ts";
import { NodeClock } from "./node-clock.ts";
import { createNodeEntropy } from "./node-entropy.ts";
import { NodeInput, NodeOutput } from "./node-stdio.ts";

interface StandardStreams {
  readonly stdout: NodeOutput;
  readonly stderr: NodeOutput;
  readonly input: HostStream & { dispose(): void };
}

export class NodeHost implements Host {
  readonly clock = new NodeClock();
  readonly prepareMemory = touchMemory;
  readonly stdin: HostStream;
  readonly stdout: NodeOutput;
  readonly stderr: NodeOutput;
  private readonly input: StandardStreams["input"];
  private readonly atExit = (): void => this.flush();

  private constructor(
    readonly entropy: Entropy,
    { stdout, stderr, input }: StandardStreams,
    wrapInput: (input: HostStream) => HostStream,
  ) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.input = input;
    this.stdin = wrapInput(input);
    process.on("exit", this.atExit);
  }

  /** @param wrapInput puts something between standard input and those who read it */
  static async open(wrapInput: (input: HostStream) => HostStream = (input) => input): Promise<NodeHost> {
    return new NodeHost(await createNodeEntropy(), await openStandardStreams(), wrapInput);
  }

  /** Writes to standard error; the text is out when this returns. */
  say(text: string): void {
    try {
      void this.stderr.write(new TextEncoder().encode(text));
    } catch {
      return; // nobody reads it
    }
    this.stderr.flushSync();
  }

  /** Everything written is out when this returns. */
  flush(): void {
    this.stdout.flushSync();
    this.stderr.flushSync();
  }

  /** Flushes, leaves raw mode and lets the process end by itself. */
  dispose(): void {
    this.flush();
    this.input.dispose();
    process.off("exit", this.atExit);
  }
}

async function openStandardStreams(): Promise<StandardStreams> {
  if (![0, 1, 2].some(mayBeTerminal))
    return { stdout: new NodeOutput(1), stderr: new NodeOutput(2), input: new NodeInput(0) };
  const { openTerminals } = await import("./node-terminal.ts");
  return openTerminals();
}

/** Is a descriptor a terminal, or perhaps one? Node's own answer is in node:tty, which takes 8 ms to load. */
function mayBeTerminal(fd: number): boolean {
  try {
    const stat = fs.fstatSync(fd);
    return stat.isCharacterDevice() && stat.rdev !== fs.statSync("/dev/null").rdev;
  } catch {
    return true;
  }
}
