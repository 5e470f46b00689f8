/** The registers that drivers from before virtio 1.0 use, in ports: OASIS virtio 1.2, 4.1.4.10 "Legacy Interfaces". */

import type { AccessSize, PortDevice } from "../../devices/bus.ts";
import { type Saveable, type SavedState, StateReader } from "../../devices/saved-state.ts";
import type { SplitQueue } from "../queue/split-queue.ts";
import type { VirtioDevice } from "./virtio-device.ts";

export const LEGACY_REGISTER_BYTES = 128;

const Legacy = {
  DeviceFeatures: 0,
  DriverFeatures: 4,
  QueueAddress: 8,
  QueueSize: 12,
  QueueSelect: 14,
  QueueNotify: 16,
  DeviceStatus: 18,
  IsrStatus: 19,
  ConfigMsixVector: 20,
  QueueMsixVector: 22,
} as const;
/** The device's own configuration follows, behind the vectors while MSI-X is enabled. */
const CONFIG = 20;
const CONFIG_WITH_MSIX = 24;

/** 2.7.2: the used ring begins on the next page. */
const QUEUE_ALIGN = 4096;

/** What the registers stand for. */
export interface LegacyTarget {
  readonly queues: readonly SplitQueue[];
  readonly offeredFeatures: bigint;
  readonly negotiatedFeatures: bigint;
  readonly deviceStatus: number;
  readonly usesMsiX: boolean;
  configurationVector: number;
  writeDriverFeatures(word: number, value: number): void;
  writeStatus(value: number): void;
  notifyQueue(index: number): void;
  queueVector(index: number): number;
  setQueueVector(index: number, vector: number): void;
  takeIsr(): number;
}

export class LegacyRegisters implements PortDevice, Saveable {
  private queueSelect = 0;

  constructor(
    private readonly target: LegacyTarget,
    private readonly device: VirtioDevice,
  ) {}

  reset(): void {
    this.queueSelect = 0;
  }

  private get configStart(): number {
    return this.target.usesMsiX ? CONFIG_WITH_MSIX : CONFIG;
  }

  readPort(offset: number, size: AccessSize): number {
    const { target } = this;
    const queue = target.queues[this.queueSelect];
    if (offset >= this.configStart) return this.readConfig(offset - this.configStart, size);
    switch (offset) {
      case Legacy.DeviceFeatures:
        return Number(target.offeredFeatures & 0xffffffffn);
      case Legacy.DriverFeatures:
        return Number(target.negotiatedFeatures & 0xffffffffn);
      case Legacy.QueueAddress:
        return queue?.isEnabled ? queue.descriptorArea / QUEUE_ALIGN : 0;
      case Legacy.QueueSize:
        return queue?.maxSize ?? 0;
      case Legacy.QueueSelect:
        return this.queueSelect;
      case Legacy.DeviceStatus:
        return target.deviceStatus;
      case Legacy.IsrStatus:
        return target.takeIsr();
      case Legacy.ConfigMsixVector:
        return target.configurationVector;
      case Legacy.QueueMsixVector:
        return target.queueVector(this.queueSelect);
      default:
        return 0;
    }
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    const { target } = this;
    if (offset >= this.configStart) {
      for (let index = 0; index < size; index++)
        this.device.writeConfig(offset - this.configStart + index, (value >>> (8 * index)) & 0xff);
      return;
    }
    switch (offset) {
      case Legacy.DriverFeatures:
        target.writeDriverFeatures(0, value);
        return;
      case Legacy.QueueAddress:
        this.placeQueue(value);
        return;
      case Legacy.QueueSelect:
        this.queueSelect = value & 0xffff;
        return;
      case Legacy.QueueNotify:
        target.notifyQueue(value & 0xffff);
        return;
      case Legacy.DeviceStatus:
        target.writeStatus(value & 0xff);
        return;
      case Legacy.ConfigMsixVector:
        target.configurationVector = value & 0xffff;
        return;
      case Legacy.QueueMsixVector:
        target.setQueueVector(this.queueSelect, value & 0xffff);
        return;
    }
  }

  private readConfig(offset: number, size: AccessSize): number {
    const { config } = this.device;
    let value = 0;
    for (let index = 0; index < size; index++) value += (config[offset + index] ?? 0) * 2 ** (8 * index);
    return value;
  }

  /** One page number for the three areas (2.7.2 "Legacy Interfaces: A Note on Virtqueue Layout"); 0 takes the queue away. */
  private placeQueue(page: number): void {
    const queue = this.target.queues[this.queueSelect];
    if (queue === undefined) return;
    if (page === 0) {
      queue.reset();
      return;
    }
    const descriptors = page * QUEUE_ALIGN;
    const available = descriptors + 16 * queue.maxSize;
    const end = available + 6 + 2 * queue.maxSize;
    queue.descriptorArea = descriptors;
    queue.driverArea = available;
    queue.deviceArea = Math.ceil(end / QUEUE_ALIGN) * QUEUE_ALIGN;
    queue.isEnabled = true;
  }

  save(): SavedState {
    return { version: 1, queueSelect: this.queueSelect };
  }

  restore(saved: SavedState): void {
    this.queueSelect = new StateReader("virtio's legacy registers", saved, 1).u16("queueSelect");
  }
}
