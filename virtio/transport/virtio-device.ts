/** What a transport and a device know of each other: OASIS virtio 1.2, chapter 2 "Basic Facilities of a Virtio Device". */

import type { Saveable } from "../../devices/saved-state.ts";
import type { SplitQueue } from "../queue/split-queue.ts";

/** Feature bits that belong to no device in particular (chapter 6). */
export const Feature = {
  NotifyOnEmpty: 1n << 24n,
  AnyLayout: 1n << 27n,
  IndirectDescriptors: 1n << 28n,
  EventIndex: 1n << 29n,
  Version1: 1n << 32n,
} as const;

/** 2.1 "Device Status Field" */
export const DeviceStatus = {
  Acknowledge: 1,
  Driver: 2,
  DriverOk: 4,
  FeaturesOk: 8,
  NeedsReset: 64,
  Failed: 128,
} as const;

/** The way back to the driver. */
export interface DriverSide {
  /** The device has used buffers of a queue, and the driver wants to know. */
  interruptQueue(queue: number): void;
  /** The driver has broken the rules: nothing goes on before it resets the device (2.1.1). */
  fail(): void;
}

/** One kind of device, whatever bus it is found on. */
export interface VirtioDevice extends Saveable {
  /** Device ID (chapter 5). */
  readonly type: number;
  /** PCI class code, for the PCI transport. */
  readonly classCode: number;
  /** The features it offers, without those of the transport. */
  readonly features: bigint;
  /** Most entries of each queue. */
  readonly queueSizes: readonly number[];
  /** The device configuration space (2.5), as it is now. */
  readonly config: Uint8Array;
  writeConfig(offset: number, value: number): void;
  /** The driver is ready (DRIVER_OK), with these features. */
  start(driver: DriverSide, queues: readonly SplitQueue[], features: bigint): void;
  /** The driver says that a queue has new buffers. */
  queueNotified(queue: number): void;
  /** Back to how it was at first; what is under way is forgotten. */
  reset(): void;
}
