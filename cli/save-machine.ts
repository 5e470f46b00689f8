/** `--save FILE`: writes the machine to a file when it is asked to: by Ctrl-A s, or at the moment that `--save-at` names. */

import type { Machine } from "../devices/machine/machine.ts";
import { saveMachine } from "../devices/machine/saved-machine.ts";
import { writeSnapshot } from "../devices/snapshot/snapshot-writer.ts";
import type { HostStream } from "../kernel/host.ts";
import { CommandError } from "./command-error.ts";
import { describeFileError } from "./file-error.ts";
import { nodeCompression } from "./host/node-compression.ts";
import { NodeSnapshotSink, placeFor } from "./host/node-snapshot-file.ts";
import { LongWork } from "./long-work.ts";
import { OutputWatch } from "./output-watch.ts";
import type { SaveMoment } from "./save-moment.ts";
import type { SerialConsole } from "./serial-console.ts";

const NS_PER_SECOND = 1e9;
const MIB = 2 ** 20;

export class MachineSaver {
  /** The moment of `--save-at` has come. */
  private isDue = false;

  /**
   * @param path what `--save` names
   * @param moment what `--save-at` names
   */
  constructor(
    private readonly path: string,
    private readonly moment: SaveMoment | undefined,
    private readonly terminal: HostStream,
  ) {}

  /** A file that cannot be written is better told of now than after an hour's work. @throws CommandError */
  async check(): Promise<void> {
    try {
      await placeFor(this.path);
    } catch (error) {
      throw describeFileError(`--save ${this.path}`, error);
    }
  }

  /** Watches for the moment. */
  watch(machine: Machine, console: SerialConsole): void {
    const { moment } = this;
    if (moment?.kind !== "text") return;
    const watch = new OutputWatch(moment.text, () => this.due(machine));
    console.onByte = (byte) => watch.see(byte);
  }

  /** To be called often. */
  look(machine: Machine): void {
    const { moment } = this;
    if (moment?.kind === "instructions" && machine.processor.instructionsExecuted >= moment.count)
      this.due(machine);
  }

  private due(machine: Machine): void {
    if (this.isDue) return;
    this.isDue = true;
    machine.pause();
  }

  /** Is the machine to end now that it was saved? */
  get endsIt(): boolean {
    return this.isDue;
  }

  /** Is it saved because it is left? */
  get savesAtExit(): boolean {
    return this.moment?.kind === "exit";
  }

  /**
   * Saves a machine that is paused.
   * @returns a sentence about it
   * @throws CommandError
   */
  async save(machine: Machine, console: SerialConsole): Promise<string> {
    const work = new LongWork(this.terminal, "saving the machine", () => machine.host.monotonic());
    try {
      const bytes = await machine.standStill(() => this.write(machine, console, work));
      const seconds = (work.elapsed / NS_PER_SECOND).toFixed(1);
      return `saved to ${this.path}: ${(bytes / MIB).toFixed(1)} MiB in ${seconds} s`;
    } catch (error) {
      throw describeFileError(`--save ${this.path}`, error);
    } finally {
      work.end();
    }
  }

  private async write(machine: Machine, console: SerialConsole, work: LongWork): Promise<number> {
    const sink = await NodeSnapshotSink.create(this.path);
    try {
      const state = { version: 1, machine: saveMachine(machine), console: console.save() };
      await writeSnapshot(state, sink, nodeCompression, work.progress);
      await sink.commit();
      return sink.size;
    } catch (error) {
      await sink.abandon();
      throw error;
    }
  }
}

/** What Ctrl-A s says without a file. */
export const NOT_SAVED = "nothing is saved: start with --save FILE to name a file for it";

/** `--save-at` without `--save` says nothing. @throws CommandError */
export function createSaver(
  options: { readonly save?: string; readonly saveAt?: SaveMoment },
  terminal: HostStream,
): MachineSaver | undefined {
  if (options.save !== undefined) return new MachineSaver(options.save, options.saveAt, terminal);
  if (options.saveAt !== undefined) throw new CommandError("--save-at: name the file with --save FILE");
  return undefined;
}
