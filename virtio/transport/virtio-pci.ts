/**
 * Virtio over PCI: OASIS virtio 1.2, 4.1. Transitional: the registers of virtio 1.x in memory, and those of the drafts
 * before it in ports (legacy-registers.ts) for old kernels.
 */

import type { AccessSize, MemoryDevice } from "../../devices/bus.ts";
import type { GuestMemory } from "../../devices/guest-memory.ts";
import { PciDevice } from "../../devices/pci/pci-device.ts";
import { type SavedState, StateReader } from "../../devices/saved-state.ts";
import { QueueError, SplitQueue } from "../queue/split-queue.ts";
import { LEGACY_REGISTER_BYTES, LegacyRegisters } from "./legacy-registers.ts";
import { DeviceStatus, type DriverSide, Feature, type VirtioDevice } from "./virtio-device.ts";

/** 4.1.2: the vendor, and the transitional device IDs (4.1.2.1 and table) by device type. */
const VENDOR = 0x1af4;
const TRANSITIONAL_IDS: Readonly<Record<number, number>> = {
  1: 0x1000,
  2: 0x1001,
  3: 0x1003,
  4: 0x1005,
  8: 0x1004,
};

/** 4.1.4: the vendor-specific capability that tells where a structure is. */
const CAPABILITY_ID = 0x09;
const CAPABILITY_BYTES = 16;
const ConfigType = { Common: 1, Notify: 2, Isr: 3, Device: 4, Pci: 5 } as const;
/** Offsets in struct virtio_pci_cap. */
const Cap = { Length: 2, Type: 3, Bar: 4, Offset: 8, Size: 12, Extra: 16 } as const;

/** Where the structures are in their BAR: a page each. */
const MODERN_BAR = 4;
const MODERN_BAR_BYTES = 0x4000;
const Structure = { Common: 0x0000, Isr: 0x1000, Device: 0x2000, Notify: 0x3000 } as const;
const STRUCTURE_BYTES = 0x1000;
/** Bytes between the notification addresses of two queues (4.1.4.4). */
const NOTIFY_MULTIPLIER = 4;
const MSIX_BAR = 1;
const LEGACY_BAR = 0;

/** 4.1.4.3 "Common configuration structure layout" */
const Common = {
  DeviceFeatureSelect: 0x00,
  DeviceFeature: 0x04,
  DriverFeatureSelect: 0x08,
  DriverFeature: 0x0c,
  ConfigMsixVector: 0x10,
  NumQueues: 0x12,
  DeviceStatus: 0x14,
  ConfigGeneration: 0x15,
  QueueSelect: 0x16,
  QueueSize: 0x18,
  QueueMsixVector: 0x1a,
  QueueEnable: 0x1c,
  QueueNotifyOff: 0x1e,
  QueueDesc: 0x20,
  QueueDriver: 0x28,
  QueueDevice: 0x30,
} as const;
const COMMON_BYTES = 0x38;

/** 4.1.5.1.2: no vector. */
const VIRTIO_MSI_NO_VECTOR = 0xffff;
/** 4.1.4.5 "ISR status capability" */
const Isr = { Queue: 1, Config: 2 } as const;

const GENERAL_FEATURES = Feature.IndirectDescriptors | Feature.EventIndex | Feature.Version1;

export class VirtioPci extends PciDevice implements MemoryDevice, DriverSide {
  readonly queues: readonly SplitQueue[];
  private readonly legacy: LegacyRegisters;
  private readonly pciAccess: number;
  private readonly queueVectors: Uint16Array;
  private configVector = VIRTIO_MSI_NO_VECTOR;
  private status = 0;
  private isr = 0;
  private deviceFeatureSelect = 0;
  private driverFeatureSelect = 0;
  private driverFeatures = 0n;
  private queueSelect = 0;

  constructor(
    readonly device: VirtioDevice,
    memory: GuestMemory,
  ) {
    super({
      vendorId: VENDOR,
      deviceId: TRANSITIONAL_IDS[device.type] ?? 0x1040 + device.type,
      classCode: device.classCode,
      revision: TRANSITIONAL_IDS[device.type] === undefined ? 1 : 0,
      subsystemVendorId: VENDOR,
      subsystemId: device.type,
    });
    this.queues = device.queueSizes.map((size) => new SplitQueue(memory, size));
    this.queueVectors = new Uint16Array(this.queues.length).fill(VIRTIO_MSI_NO_VECTOR);
    this.legacy = new LegacyRegisters(this, device);
    this.useIntx();
    this.addBar(LEGACY_BAR, { kind: "io", size: LEGACY_REGISTER_BYTES, device: this.legacy });
    this.addMsiX(this.queues.length + 1, MSIX_BAR);
    this.addBar(MODERN_BAR, { kind: "memory", size: MODERN_BAR_BYTES, device: this });
    this.pciAccess = this.addStructure(ConfigType.Pci, 0, 0, 4);
    this.addStructure(ConfigType.Device, Structure.Device, device.config.length);
    const notify = this.addStructure(ConfigType.Notify, Structure.Notify, STRUCTURE_BYTES, 4);
    this.config.view.setUint32(notify + Cap.Extra, NOTIFY_MULTIPLIER, true);
    this.addStructure(ConfigType.Isr, Structure.Isr, 1);
    this.addStructure(ConfigType.Common, Structure.Common, COMMON_BYTES);
    this.allowPciAccess();
  }

  private addStructure(type: number, offset: number, length: number, extra = 0): number {
    const { config } = this;
    const at = config.addCapability(CAPABILITY_ID, CAPABILITY_BYTES + extra);
    config.view.setUint8(at + Cap.Length, CAPABILITY_BYTES + extra);
    config.view.setUint8(at + Cap.Type, type);
    config.view.setUint8(at + Cap.Bar, type === ConfigType.Pci ? 0 : MODERN_BAR);
    config.view.setUint32(at + Cap.Offset, offset, true);
    config.view.setUint32(at + Cap.Size, length, true);
    return at;
  }

  /** 4.1.4.9: a window to the BARs, for firmware that cannot reach memory. */
  private allowPciAccess(): void {
    this.config.allow(this.pciAccess + Cap.Bar, 1, 0xff);
    this.config.allow(this.pciAccess + Cap.Offset, 4, 0xffffffff);
    this.config.allow(this.pciAccess + Cap.Size, 4, 0xffffffff);
    this.config.allow(this.pciAccess + Cap.Extra, 4, 0xffffffff);
  }

  override readConfig(offset: number, size: number): number {
    if (this.isPciData(offset)) this.accessByConfig("read");
    return super.readConfig(offset, size);
  }

  override writeConfig(offset: number, size: number, value: number): void {
    super.writeConfig(offset, size, value);
    if (this.isPciData(offset)) this.accessByConfig("write");
  }

  private isPciData(offset: number): boolean {
    const data = this.pciAccess + Cap.Extra;
    return offset >= data && offset < data + 4;
  }

  private accessByConfig(kind: "read" | "write"): void {
    const { view } = this.config;
    const at = this.pciAccess;
    const size = view.getUint32(at + Cap.Size, true);
    const offset = view.getUint32(at + Cap.Offset, true);
    if (size !== 1 && size !== 2 && size !== 4) return;
    if (view.getUint8(at + Cap.Bar) !== MODERN_BAR || offset + size > MODERN_BAR_BYTES || offset % size !== 0)
      return;
    if (kind === "read") view.setUint32(at + Cap.Extra, this.readMemory(offset, size), true);
    else this.writeMemory(offset, size, view.getUint32(at + Cap.Extra, true) & (2 ** (8 * size) - 1));
  }

  // ---- registers ----

  readMemory(offset: number, size: AccessSize): number {
    const structure = offset - (offset % STRUCTURE_BYTES);
    const register = offset - structure;
    switch (structure) {
      case Structure.Common:
        return this.readCommon(register, size);
      case Structure.Isr:
        return register === 0 ? this.takeIsr() : 0;
      case Structure.Device:
        return this.readDeviceConfig(register, size);
      default:
        return 0;
    }
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    const structure = offset - (offset % STRUCTURE_BYTES);
    const register = offset - structure;
    switch (structure) {
      case Structure.Common:
        this.writeCommon(register, size, value);
        return;
      case Structure.Device:
        this.writeDeviceConfig(register, size, value);
        return;
      case Structure.Notify:
        this.notifyQueue(Math.floor(register / NOTIFY_MULTIPLIER));
        return;
    }
  }

  readDeviceConfig(offset: number, size: number): number {
    const { config } = this.device;
    let value = 0;
    for (let index = 0; index < size; index++) value += (config[offset + index] ?? 0) * 2 ** (8 * index);
    return value;
  }

  writeDeviceConfig(offset: number, size: number, value: number): void {
    for (let index = 0; index < size; index++)
      this.device.writeConfig(offset + index, (value >>> (8 * index)) & 0xff);
  }

  /** Reading the ISR clears it, and takes INTA# back. */
  takeIsr(): number {
    const { isr } = this;
    this.isr = 0;
    this.setIntx(false);
    return isr;
  }

  get offeredFeatures(): bigint {
    return this.device.features | GENERAL_FEATURES;
  }

  private get queue(): SplitQueue | undefined {
    return this.queues[this.queueSelect];
  }

  private readCommon(register: number, size: AccessSize): number {
    const { queue } = this;
    switch (register) {
      case Common.DeviceFeatureSelect:
        return this.deviceFeatureSelect;
      case Common.DeviceFeature:
        return featureWord(this.offeredFeatures, this.deviceFeatureSelect);
      case Common.DriverFeatureSelect:
        return this.driverFeatureSelect;
      case Common.DriverFeature:
        return featureWord(this.driverFeatures, this.driverFeatureSelect);
      case Common.ConfigMsixVector:
        return this.configVector;
      case Common.NumQueues:
        return this.queues.length;
      case Common.DeviceStatus:
        return this.status;
      case Common.ConfigGeneration:
        return 0; // the configuration never changes by itself
      case Common.QueueSelect:
        return this.queueSelect;
      case Common.QueueSize:
        return queue?.size ?? 0; // 4.1.4.3: 0 for a queue that is not there
      case Common.QueueMsixVector:
        return this.queueVector(this.queueSelect);
      case Common.QueueEnable:
        return queue?.isEnabled ? 1 : 0;
      case Common.QueueNotifyOff:
        return queue === undefined ? 0 : this.queueSelect;
      default:
        return queue === undefined || register < Common.QueueDesc ? 0 : readArea(queue, register, size);
    }
  }

  private writeCommon(register: number, size: AccessSize, value: number): void {
    const { queue } = this;
    switch (register) {
      case Common.DeviceFeatureSelect:
        this.deviceFeatureSelect = value;
        return;
      case Common.DriverFeatureSelect:
        this.driverFeatureSelect = value;
        return;
      case Common.DriverFeature:
        this.writeDriverFeatures(this.driverFeatureSelect, value);
        return;
      case Common.ConfigMsixVector:
        this.configVector = this.allocatedVector(value);
        return;
      case Common.DeviceStatus:
        this.writeStatus(value & 0xff);
        return;
      case Common.QueueSelect:
        this.queueSelect = value & 0xffff;
        return;
      case Common.QueueMsixVector:
        this.setQueueVector(this.queueSelect, value);
        return;
      case Common.QueueSize:
        if (queue !== undefined && !queue.isEnabled && isPowerOfTwo(value) && value <= queue.maxSize)
          queue.size = value;
        return;
      case Common.QueueEnable:
        if (queue !== undefined && value === 1) queue.isEnabled = true;
        return;
      default:
        if (queue !== undefined && register >= Common.QueueDesc && !queue.isEnabled)
          writeArea(queue, register, size, value);
    }
  }

  // ---- what modern and legacy registers do ----

  get deviceStatus(): number {
    return this.status;
  }

  /** 4.1.4.3.1: features are taken until FEATURES_OK. */
  writeDriverFeatures(word: number, value: number): void {
    if ((this.status & DeviceStatus.FeaturesOk) !== 0 || word > 1) return;
    const shift = BigInt(32 * word);
    const others = this.driverFeatures & ~(0xffffffffn << shift);
    this.driverFeatures = others | (BigInt(value >>> 0) << shift);
  }

  get negotiatedFeatures(): bigint {
    return this.driverFeatures;
  }

  /** 2.1: zero resets; FEATURES_OK stays clear if the driver wants what is not offered. */
  writeStatus(value: number): void {
    if (value === 0) {
      this.resetFunction();
      return;
    }
    const before = this.status;
    let next = value | (before & DeviceStatus.NeedsReset);
    if ((this.driverFeatures & ~this.offeredFeatures) !== 0n) next &= ~DeviceStatus.FeaturesOk;
    this.status = next;
    if ((next & ~before & DeviceStatus.DriverOk) !== 0) this.start();
  }

  private start(): void {
    const { device, driverFeatures } = this;
    for (const queue of this.queues) {
      queue.usesEventIndex = (driverFeatures & Feature.EventIndex) !== 0n;
      queue.usesIndirect = (driverFeatures & Feature.IndirectDescriptors) !== 0n;
    }
    device.start(this, this.queues, driverFeatures);
  }

  notifyQueue(index: number): void {
    const isRunning =
      (this.status & (DeviceStatus.DriverOk | DeviceStatus.NeedsReset)) === DeviceStatus.DriverOk;
    // A device that may not master the bus cannot look into its queues.
    if (!isRunning || !this.isMaster || index >= this.queues.length) return;
    try {
      this.device.queueNotified(index);
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      this.fail();
    }
  }

  queueVector(index: number): number {
    return this.queueVectors[index] ?? VIRTIO_MSI_NO_VECTOR;
  }

  setQueueVector(index: number, vector: number): void {
    if (index < this.queueVectors.length) this.queueVectors[index] = this.allocatedVector(vector);
  }

  get configurationVector(): number {
    return this.configVector;
  }

  set configurationVector(vector: number) {
    this.configVector = this.allocatedVector(vector);
  }

  /** 4.1.5.1.2: a vector that is not there reads back as none. */
  private allocatedVector(vector: number): number {
    return vector <= this.queues.length ? vector : VIRTIO_MSI_NO_VECTOR;
  }

  interruptQueue(index: number): void {
    if (this.usesMsiX) this.sendMessage(this.queueVector(index));
    else this.raise(Isr.Queue);
  }

  fail(): void {
    this.status |= DeviceStatus.NeedsReset;
    if ((this.status & DeviceStatus.DriverOk) === 0) return;
    if (this.usesMsiX) this.sendMessage(this.configVector);
    else this.raise(Isr.Config);
  }

  private sendMessage(vector: number): void {
    if (vector !== VIRTIO_MSI_NO_VECTOR) this.notify(vector);
  }

  private raise(bit: number): void {
    this.isr |= bit;
    this.setIntx(true);
  }

  private resetFunction(): void {
    this.device.reset();
    for (const queue of this.queues) queue.reset();
    this.queueVectors.fill(VIRTIO_MSI_NO_VECTOR);
    this.configVector = VIRTIO_MSI_NO_VECTOR;
    this.status = 0;
    this.isr = 0;
    this.deviceFeatureSelect = 0;
    this.driverFeatureSelect = 0;
    this.driverFeatures = 0n;
    this.queueSelect = 0;
    this.legacy.reset();
    this.setIntx(false);
  }

  override reset(): void {
    super.reset();
    this.resetFunction();
  }

  override save(): SavedState {
    return {
      version: 1,
      pci: super.save(),
      device: this.device.save(),
      legacy: this.legacy.save(),
      queues: this.queues.map((queue) => queue.save()),
      queueVectors: [...this.queueVectors],
      configVector: this.configVector,
      status: this.status,
      isr: this.isr,
      deviceFeatureSelect: this.deviceFeatureSelect,
      driverFeatureSelect: this.driverFeatureSelect,
      driverFeatures: this.driverFeatures,
      queueSelect: this.queueSelect,
    };
  }

  override restore(saved: SavedState): void {
    const state = new StateReader("virtio over PCI", saved, 1);
    this.device.reset();
    super.restore(state.state("pci"));
    this.legacy.restore(state.state("legacy"));
    const queues = state.list("queues", this.queues.length);
    for (const [index, queue] of this.queues.entries())
      queue.restore(new StateReader("virtqueue", { version: 1, item: queues[index] }, 1).state("item"));
    this.queueVectors.set(state.integers("queueVectors", this.queues.length, VIRTIO_MSI_NO_VECTOR));
    this.configVector = state.u16("configVector");
    this.status = state.u8("status");
    this.isr = state.u8("isr");
    this.deviceFeatureSelect = state.u32("deviceFeatureSelect");
    this.driverFeatureSelect = state.u32("driverFeatureSelect");
    this.driverFeatures = state.u64("driverFeatures");
    this.queueSelect = state.u16("queueSelect");
    if ((this.status & DeviceStatus.DriverOk) !== 0) this.start();
    this.device.restore(state.state("device"));
  }
}

function featureWord(features: bigint, word: number): number {
  return word > 1 ? 0 : Number((features >> BigInt(32 * word)) & 0xffffffffn);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

const AREAS = [
  [Common.QueueDesc, "descriptorArea"],
  [Common.QueueDriver, "driverArea"],
  [Common.QueueDevice, "deviceArea"],
] as const;

/** The 64-bit addresses are read and written in halves (4.1.3.1). */
function readArea(queue: SplitQueue, register: number, size: AccessSize): number {
  const area = AREAS.find(([start]) => register === start || register === start + 4);
  if (area === undefined || size !== 4) return 0;
  const address = queue[area[1]];
  return register === area[0] ? address % 2 ** 32 : Math.floor(address / 2 ** 32);
}

function writeArea(queue: SplitQueue, register: number, size: AccessSize, value: number): void {
  const area = AREAS.find(([start]) => register === start || register === start + 4);
  if (area === undefined || size !== 4) return;
  const address = queue[area[1]];
  const low = address % 2 ** 32;
  queue[area[1]] = register === area[0] ? address - low + value : (value & 0x1fffff) * 2 ** 32 + low;
}
