/** `--restore FILE`: a machine that was saved goes on. */

import type { Machine } from "../devices/machine/machine.ts";
import {
  describeMachine,
  type MachineDescription,
  restoreMachine,
} from "../devices/machine/saved-machine.ts";
import { type SavedState, StateError, StateReader } from "../devices/saved-state.ts";
import { Snapshot } from "../devices/snapshot/snapshot-reader.ts";
import type { HostStream } from "../kernel/host.ts";
import { CommandError } from "./command-error.ts";
import { describeFileError } from "./file-error.ts";
import { nodeCompression } from "./host/node-compression.ts";
import { NodeSnapshotSource } from "./host/node-snapshot-file.ts";
import { LongWork } from "./long-work.ts";
import type { SerialConsole } from "./serial-console.ts";

const reader = (saved: SavedState): StateReader => new StateReader("the saved machine", saved, 1);

export class SavedMachineFile {
  private constructor(
    private readonly path: string,
    private readonly source: NodeSnapshotSource,
    private readonly snapshot: Snapshot,
    /** What machine it takes. */
    readonly description: MachineDescription,
  ) {}

  /** @throws CommandError */
  static async open(path: string): Promise<SavedMachineFile> {
    try {
      const source = await NodeSnapshotSource.open(path);
      const snapshot = await Snapshot.open(source, nodeCompression);
      const description = describeMachine(reader(snapshot.outline).state("machine"));
      return new SavedMachineFile(path, source, snapshot, description);
    } catch (error) {
      throw describe(path, error);
    }
  }

  /** Fills a machine that was made as {@link description} says. @throws CommandError */
  async restore(machine: Machine, console: SerialConsole, terminal: HostStream): Promise<void> {
    const work = new LongWork(terminal, "restoring the machine", () => machine.host.monotonic());
    try {
      const outline = new StateReader("the machine", reader(this.snapshot.outline).state("machine"), 1);
      machine.beginRestore();
      const places = new Map([[outline.bytes("ram"), machine.cpu.ram]]);
      const state = reader(await this.snapshot.load(places, work.progress));
      restoreMachine(machine, state.state("machine"));
      console.restore(state.state("console"));
    } catch (error) {
      throw describe(this.path, error);
    } finally {
      work.end();
      await this.source.close();
    }
  }
}

function describe(path: string, error: unknown): unknown {
  const subject = `--restore ${path}`;
  return error instanceof StateError
    ? new CommandError(`${subject}: ${error.message}`)
    : describeFileError(subject, error);
}
