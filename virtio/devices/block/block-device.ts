/** A block device: OASIS virtio 1.2, 5.2. One queue; what the disk's bytes are kept in is a {@link BlockBackend}. */

import { type SavedState, StateError, StateReader } from "../../../devices/saved-state.ts";
import { type BlockBackend, SECTOR_BYTES } from "../../../devices/storage/block-backend.ts";
import type { DescriptorChain } from "../../queue/descriptor-chain.ts";
import { QueueError, type SplitQueue } from "../../queue/split-queue.ts";
import type { DriverSide, VirtioDevice } from "../../transport/virtio-device.ts";
import { serve } from "./request.ts";

const DEVICE_ID = 2;
/** SCSI storage controller: what virtio-blk is in QEMU too. */
const PCI_CLASS = 0x010000;

/** 5.2.3 "Feature bits" */
const BlockFeature = {
  SegMax: 1n << 2n,
  Ro: 1n << 5n,
  BlkSize: 1n << 6n,
  Flush: 1n << 9n,
} as const;

/** 5.2.4 "Device configuration layout" */
const Config = { Capacity: 0, SegMax: 12, BlkSize: 20 } as const;
const CONFIG_BYTES = 36;

const QUEUE_SIZE = 256;
/** A header and a status go with the data (5.2.6). */
const SEGMENTS = QUEUE_SIZE - 2;

export interface BlockDeviceOptions {
  readonly backend: BlockBackend;
  /** Up to 20 characters: /dev/disk/by-id shows it. */
  readonly serial: string;
  /** Called when a request has been completed outside of {@link VirtioBlock.queueNotified}. */
  readonly completed?: () => void;
}

export class VirtioBlock implements VirtioDevice {
  readonly type = DEVICE_ID;
  readonly classCode = PCI_CLASS;
  readonly queueSizes = [QUEUE_SIZE] as const;
  readonly features: bigint;
  readonly config = new Uint8Array(CONFIG_BYTES);
  private readonly backend: BlockBackend;
  private driver: DriverSide | undefined;
  private queue: SplitQueue | undefined;
  /** Requests under way, by the head of their chains; empty between instructions if the backend completes at once. */
  private readonly pending = new Set<number>();
  /** Counts resets: completions of requests from before one are nobody's. */
  private era = 0;

  constructor(private readonly options: BlockDeviceOptions) {
    const { backend } = options;
    this.backend = backend;
    this.features =
      BlockFeature.SegMax |
      BlockFeature.BlkSize |
      BlockFeature.Flush |
      (backend.isReadOnly ? BlockFeature.Ro : 0n);
    const view = new DataView(this.config.buffer);
    view.setBigUint64(Config.Capacity, BigInt(Math.floor(backend.size / SECTOR_BYTES)), true);
    view.setUint32(Config.SegMax, SEGMENTS, true);
    view.setUint32(Config.BlkSize, SECTOR_BYTES, true);
  }

  writeConfig(): void {} // nothing of it is the driver's

  start(driver: DriverSide, queues: readonly SplitQueue[]): void {
    this.driver = driver;
    this.queue = queues[0];
  }

  queueNotified(): void {
    const { queue, driver } = this;
    if (queue === undefined || driver === undefined) return;
    let interrupt = false;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const result = this.serve(chain);
      if (typeof result === "number") interrupt = queue.push(chain, result) || interrupt;
    }
    if (interrupt) driver.interruptQueue(0);
  }

  /** @returns how much has been written, or nothing for a request that is completed later */
  private serve(chain: DescriptorChain): number | undefined {
    const result = serve(chain, this.backend, this.options.serial);
    if (typeof result === "number") return result;
    const { era } = this;
    this.pending.add(chain.head);
    void result.then((written) => {
      if (era === this.era) this.complete(chain, written);
    });
    return undefined;
  }

  private complete(chain: DescriptorChain, written: number): void {
    const { queue, driver } = this;
    this.pending.delete(chain.head);
    try {
      if (queue?.push(chain, written)) driver?.interruptQueue(0);
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      driver?.fail();
    }
    this.options.completed?.();
  }

  reset(): void {
    this.driver = undefined;
    this.queue = undefined;
    this.pending.clear();
    this.era++;
  }

  /** Requests under way are saved as their heads and done again after restoring: reads and writes may be. */
  save(): SavedState {
    const { backend } = this;
    return { version: 1, size: backend.size, pending: [...this.pending], changes: backend.changes?.save() };
  }

  /** Comes after {@link start}, if the driver was ready. */
  restore(saved: SavedState): void {
    const { backend, queue, driver } = this;
    const state = new StateReader("block device", saved, 1);
    if (state.integer("size", Number.MAX_SAFE_INTEGER) !== backend.size)
      throw new StateError("block device: the saved machine's disk had another size");
    backend.changes?.restore(state.state("changes"));
    const heads = state.list("pending").length;
    for (const head of state.integers("pending", heads, 0xffff)) {
      if (queue === undefined || driver === undefined)
        throw new StateError("block device: requests without a driver");
      this.serveAgain(head, queue, driver);
    }
  }

  private serveAgain(head: number, queue: SplitQueue, driver: DriverSide): void {
    try {
      const chain = queue.chain(head);
      const result = this.serve(chain);
      if (result !== undefined && queue.push(chain, result)) driver.interruptQueue(0);
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      driver.fail();
    }
  }
}
