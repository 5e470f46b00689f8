/** The kernel's {@link Host} on Node: clock, entropy and the standard streams of this process. */

import { randomFillSync } from "node:crypto";
import * as tty from "node:tty";
import type { Entropy, Host, HostStream } from "../../kernel/host.ts";
import { NodeClock } from "./node-clock.ts";
import { NodeInput, NodeOutput } from "./node-stdio.ts";
import { NodeTerminalInput, NodeTerminalOutput } from "./node-terminal.ts";

export class NodeHost implements Host {
  readonly clock = new NodeClock();
  readonly entropy: Entropy = { fill: (bytes) => void randomFillSync(bytes) };
  readonly stdin: HostStream;
  readonly stdout: NodeOutput;
  readonly stderr: NodeOutput;
  private readonly input: NodeInput | NodeTerminalInput;
  private readonly atExit = (): void => this.flush();

  constructor() {
    this.stdout = tty.isatty(1) ? new NodeTerminalOutput(1) : new NodeOutput(1);
    this.stderr = tty.isatty(2) ? new NodeTerminalOutput(2) : new NodeOutput(2);
    this.input = tty.isatty(0) ? new NodeTerminalInput(this.screen()) : new NodeInput(0);
    this.stdin = this.input;
    process.on("exit", this.atExit);
  }

  /** Where the terminal of standard input shows things. */
  private screen(): NodeTerminalOutput {
    if (this.stdout instanceof NodeTerminalOutput) return this.stdout;
    if (this.stderr instanceof NodeTerminalOutput) return this.stderr;
    return new NodeTerminalOutput(0);
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
