/** A process whose standard input and output are the console of a guest: wait for what it prints, type lines. */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Kernel clock ticks a second in /proc (proc(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

export class GuestConsole {
  /** Everything that was printed. */
  output = "";
  errors = "";
  private searched = 0;
  private readonly child: ChildProcess;
  private readonly ended: Promise<number>;
  private onOutput = (): void => {};
  private hasEnded = false;

  constructor(command: readonly string[]) {
    const [file, ...parameters] = command;
    const child = spawn(file, parameters, { stdio: ["pipe", "pipe", "pipe"] });
    this.child = child;
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => {
      this.output += bytes.toString("latin1");
      this.onOutput();
    });
    // These are our own words, not the guest's bytes.
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => {
        this.hasEnded = true;
        this.onOutput();
        resolve(status ?? -1);
      });
    });
  }

  /**
   * Waits until something is printed behind what was waited for before.
   * @returns what was printed up to it and it
   * @throws with the end of the output if it does not come
   */
  waitFor(pattern: RegExp | string, milliseconds: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(
          new Error(
            `${pattern}: ${why}; the console ends with:\n${this.output.slice(-1500)}\n${this.errors.slice(-1500)}`,
          ),
        );
      const timer = setTimeout(() => {
        this.onOutput = () => {};
        fail(`not printed in ${milliseconds} ms`);
      }, milliseconds);
      this.onOutput = () => {
        const rest = this.output.slice(this.searched);
        const match = typeof pattern === "string" ? rest.indexOf(pattern) : rest.search(pattern);
        if (match < 0 && !this.hasEnded) return;
        clearTimeout(timer);
        this.onOutput = () => {};
        if (match < 0) {
          fail("the guest has ended");
          return;
        }
        const length = typeof pattern === "string" ? pattern.length : (pattern.exec(rest)?.[0].length ?? 0);
        this.searched += match + length;
        resolve(rest.slice(0, match + length));
      };
      this.onOutput();
    });
  }

  /** Waits until the error output matches. @returns the match */
  async waitForError(pattern: RegExp, milliseconds: number): Promise<string> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const match = pattern.exec(this.errors);
      if (match !== null) return match[0];
      if (performance.now() > deadline || this.hasEnded)
        throw new Error(`${pattern}: not printed to standard error, which is:\n${this.errors.slice(-1500)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends a signal to the process. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Seconds of processor time that the process has used. */
  processorTime(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** The exit status. */
  async end(milliseconds: number): Promise<number> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), milliseconds);
    const status = await this.ended;
    clearTimeout(timer);
    return status;
  }

  /** As `kill` does without more. */
  interrupt(): void {
    this.child.kill("SIGTERM");
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}
