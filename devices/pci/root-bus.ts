/**
 * Bus 0 and the host bridge in front of it: configuration mechanism 1 by ports CF8H and CFCH (PCI Local Bus 3.0,
 * 3.2.2.3.2) and ECAM in memory (PCI Express Base 3.0, 7.2.2). All functions sit on bus 0; there are no bridges.
 */

import type { InterruptMessageSink } from "../apic/interrupt-message.ts";
import type { AccessSize, Bus, MemoryDevice, PortDevice } from "../bus.ts";
import type { InterruptLine } from "../interrupt-line.ts";
import { SharedLine } from "../interrupt-line.ts";
import { type Saveable, type SavedState, StateError, StateReader } from "../saved-state.ts";
import { CONFIG_BYTES, CommandBit, ConfigOffset, EXTENDED_CONFIG_BYTES } from "./config-space.ts";
import { PciDevice } from "./pci-device.ts";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const ADDRESS_ENABLE = 0x80000000;
const SLOTS = 32;
/** A function's 4 KiB; 8 functions, 32 devices and 256 buses of them. */
const ECAM_FUNCTION_SHIFT = 12;
const ECAM_DEVICE_SHIFT = 15;
const ECAM_BUS_SHIFT = 20;

/** Red Hat's generic PCI Express host bridge, as the arm64 "virt" machine of QEMU has it: no driver wants more of it. */
const HOST_BRIDGE = {
  vendorId: 0x1b36,
  deviceId: 0x0008,
  classCode: 0x060000,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
} as const;

/** Where BARs may be placed, and which interrupts the slots have. */
export interface PciResources {
  readonly ecam: number;
  readonly memory: { readonly start: number; readonly end: number };
  readonly io: { readonly start: number; readonly end: number };
  /** Interrupt lines INTA# of slot n goes to, by n modulo their number. */
  readonly interrupts: readonly { readonly irq: number; readonly line: InterruptLine }[];
}

export class PciRootBus implements MemoryDevice, Saveable {
  private readonly slots: (PciDevice | undefined)[] = new Array(SLOTS).fill(undefined);
  private address = 0;
  private readonly wires: readonly SharedLine[];
  readonly resources: PciResources;

  constructor(
    private readonly bus: Bus,
    private readonly messages: InterruptMessageSink,
    resources: PciResources,
  ) {
    this.resources = resources;
    this.wires = resources.interrupts.map(({ line }) => new SharedLine(line));
    const configAddress: PortDevice = {
      readPort: (_offset, size) => (size === 4 ? this.address : 2 ** (8 * size) - 1),
      writePort: (_offset, size, value) => {
        if (size === 4) this.address = (value & 0x80fffffc) >>> 0;
      },
    };
    const configData: PortDevice = {
      readPort: (offset, size) => this.readSelected(offset, size),
      writePort: (offset, size, value) => this.writeSelected(offset, size, value),
    };
    bus.mapPorts(CONFIG_ADDRESS, 4, configAddress, 4);
    bus.mapPorts(CONFIG_DATA, 4, configData, 4);
    bus.mapMemory(resources.ecam, 1 << ECAM_BUS_SHIFT, this);
    this.add(new PciDevice(HOST_BRIDGE));
  }

  /** Puts a device into the first free slot. */
  add(device: PciDevice): number {
    const slot = this.slots.indexOf(undefined);
    if (slot < 0) throw new Error("all 32 PCI slots are taken");
    this.slots[slot] = device;
    device.attach({
      bus: this.bus,
      messages: this.messages,
      intx: this.wires[slot % this.wires.length].input(),
    });
    return slot;
  }

  reset(): void {
    this.address = 0;
    for (const device of this.slots) device?.reset();
    this.configureAsFirmware();
  }

  /** What firmware does before it starts a system: places BARs, enables decoding, writes down interrupt lines (IRQs). */
  configureAsFirmware(): void {
    const { resources } = this;
    const next = { memory: resources.memory.start, io: resources.io.start };
    for (const [slot, device] of this.slots.entries()) {
      if (device === undefined) continue;
      let command = 0;
      for (const { offset, region } of device.baseAddresses) {
        const place = Math.ceil(next[region.kind] / region.size) * region.size;
        if (place + region.size > resources[region.kind].end) continue; // left unplaced: the system may do better
        next[region.kind] = place + region.size;
        device.writeConfig(offset, 4, place);
        command |= region.kind === "io" ? CommandBit.Io : CommandBit.Memory;
      }
      if (device.readConfig(ConfigOffset.InterruptPin, 1) !== 0) {
        const { irq } = resources.interrupts[slot % resources.interrupts.length];
        device.writeConfig(ConfigOffset.InterruptLine, 1, irq);
      }
      if (command !== 0) device.writeConfig(ConfigOffset.Command, 2, command);
    }
  }

  /** The function that CF8H names, if it is there. */
  private get selected(): PciDevice | undefined {
    const { address } = this;
    const isBusZero = ((address >>> 16) & 0xff) === 0;
    const isFunctionZero = ((address >>> 8) & 7) === 0;
    if ((address & ADDRESS_ENABLE) === 0 || !isBusZero || !isFunctionZero) return undefined;
    return this.slots[(address >>> 11) & 0x1f];
  }

  private readSelected(offset: number, size: AccessSize): number {
    return this.selected?.readConfig((this.address & 0xfc) + offset, size) ?? 2 ** (8 * size) - 1;
  }

  private writeSelected(offset: number, size: AccessSize, value: number): void {
    this.selected?.writeConfig((this.address & 0xfc) + offset, size, value);
  }

  /** ECAM: bus 0 only is mapped. */
  private at(offset: number): PciDevice | undefined {
    if (((offset >>> ECAM_FUNCTION_SHIFT) & 7) !== 0) return undefined;
    return this.slots[(offset >>> ECAM_DEVICE_SHIFT) & 0x1f];
  }

  readMemory(offset: number, size: AccessSize): number {
    const register = offset % EXTENDED_CONFIG_BYTES;
    const device = this.at(offset);
    if (device === undefined) return 2 ** (8 * size) - 1;
    return register < CONFIG_BYTES ? device.readConfig(register, size) : 0;
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    const register = offset % EXTENDED_CONFIG_BYTES;
    if (register < CONFIG_BYTES) this.at(offset)?.writeConfig(register, size, value);
  }

  save(): SavedState {
    return { version: 1, address: this.address, slots: this.slots.map((device) => device?.save()) };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("PCI bus", saved, 1);
    this.address = state.u32("address");
    for (const [index, item] of state.list("slots", SLOTS).entries()) {
      const device = this.slots[index];
      if ((device === undefined) !== (item === undefined)) {
        const what = item === undefined ? "no device" : "a device";
        throw new StateError(
          `PCI bus: slot ${index} of the saved machine has ${what}, this one's is different`,
        );
      }
      device?.restore(new StateReader("PCI bus", { version: 1, item }, 1).state("item"));
    }
  }
}
