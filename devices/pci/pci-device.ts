/** What every PCI function has: identity, command register, BARs, interrupts. A device is a subclass or holds one of these. */

import type { InterruptMessageSink } from "../apic/interrupt-message.ts";
import type { Bus } from "../bus.ts";
import { type InterruptLine, UNCONNECTED } from "../interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import { type BarRegion, BaseAddress } from "./base-address.ts";
import { CommandBit, ConfigOffset, ConfigSpace, StatusBit } from "./config-space.ts";
import { Msi } from "./msi.ts";
import { MSIX_BAR_BYTES, MsiX } from "./msi-x.ts";

export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision?: number;
  /** Base class, subclass and programming interface: 0x060000 is a host bridge. */
  readonly classCode: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
}

/** The slot a function sits in: what the root bus gives it. */
export interface PciSlot {
  readonly bus: Bus;
  readonly messages: InterruptMessageSink;
  /** INTA#. */
  readonly intx: InterruptLine;
}

export class PciDevice implements Saveable {
  readonly config = new ConfigSpace();
  private readonly bars: BaseAddress[] = [];
  private slot: PciSlot | undefined;
  private msi: Msi | undefined;
  private msix: MsiX | undefined;
  private intxLevel = false;
  private intx: InterruptLine = UNCONNECTED;

  constructor(identity: PciIdentity) {
    const { config } = this;
    const { view } = config;
    view.setUint16(ConfigOffset.VendorId, identity.vendorId, true);
    view.setUint16(ConfigOffset.DeviceId, identity.deviceId, true);
    view.setUint32(ConfigOffset.Revision, (identity.classCode << 8) | (identity.revision ?? 0), true);
    view.setUint16(ConfigOffset.SubsystemVendorId, identity.subsystemVendorId ?? 0, true);
    view.setUint16(ConfigOffset.SubsystemId, identity.subsystemId ?? 0, true);
    config.allow(
      ConfigOffset.Command,
      2,
      CommandBit.Io | CommandBit.Memory | CommandBit.Master | CommandBit.InterruptDisable,
    );
    config.allow(ConfigOffset.InterruptLine, 1, 0xff);
  }

  /** Called by the root bus. */
  attach(slot: PciSlot): void {
    this.slot = slot;
    this.intx = slot.intx;
  }

  /** The device uses INTA#. */
  protected useIntx(): void {
    this.config.view.setUint8(ConfigOffset.InterruptPin, 1);
  }

  addBar(index: number, region: BarRegion): void {
    this.bars.push(new BaseAddress(this.config, index, region));
  }

  protected addMsi(vectorsLog2: number): void {
    this.msi = new Msi(this.config, vectorsLog2, this.messageSink);
  }

  /** Gives the device MSI-X with its table in a BAR of its own. */
  protected addMsiX(vectors: number, bar: number): void {
    const msix = new MsiX(this.config, vectors, bar, this.messageSink);
    this.msix = msix;
    this.addBar(bar, { kind: "memory", size: MSIX_BAR_BYTES, device: msix });
  }

  /** Messages are writes to memory: a device that may not master the bus sends none. */
  private readonly messageSink: InterruptMessageSink = {
    deliver: (message) => {
      if ((this.command & CommandBit.Master) !== 0) this.slot?.messages.deliver(message);
    },
  };

  protected get command(): number {
    return this.config.view.getUint16(ConfigOffset.Command, true);
  }

  /** May the device read and write RAM? */
  get isMaster(): boolean {
    return (this.command & CommandBit.Master) !== 0;
  }

  get usesMsiX(): boolean {
    return this.msix?.isEnabled ?? false;
  }

  /** An event for a vector of MSI-X or MSI; with neither enabled, nothing: the device drives {@link setIntx} then. */
  protected notify(vector: number): void {
    if (this.msix?.isEnabled) this.msix.notify(vector);
    else if (this.msi?.isEnabled) this.msi.notify(vector);
  }

  /** INTA#, held until the device's own status is read. Messages replace it (6.8.3.3). */
  protected setIntx(level: boolean): void {
    this.intxLevel = level;
    this.updateIntx();
  }

  private updateIntx(): void {
    const { view } = this.config;
    const status = view.getUint16(ConfigOffset.Status, true);
    view.setUint16(
      ConfigOffset.Status,
      this.intxLevel ? status | StatusBit.Interrupt : status & ~StatusBit.Interrupt,
      true,
    );
    const silent =
      (this.command & CommandBit.InterruptDisable) !== 0 || this.msi?.isEnabled || this.msix?.isEnabled;
    this.intx.set(this.intxLevel && !silent);
  }

  readConfig(offset: number, size: number): number {
    return this.config.read(offset, size);
  }

  writeConfig(offset: number, size: number, value: number): void {
    this.config.write(offset, size, value);
    this.configChanged();
  }

  private configChanged(): void {
    const { slot, command } = this;
    if (slot === undefined) return;
    for (const bar of this.bars) {
      bar.update(slot.bus, (command & (bar.region.kind === "io" ? CommandBit.Io : CommandBit.Memory)) !== 0);
    }
    this.msi?.configWritten();
    this.msix?.configWritten();
    this.updateIntx();
  }

  /** What firmware does: gives every BAR a place. Used by {@link import("./root-bus.ts").PciRootBus}. */
  get baseAddresses(): readonly BaseAddress[] {
    return this.bars;
  }

  reset(): void {
    this.config.reset();
    this.msi?.reset();
    this.msix?.reset();
    this.intxLevel = false;
    this.configChanged();
  }

  save(): SavedState {
    return {
      version: 1,
      config: this.config.save(),
      msi: this.msi?.save(),
      msix: this.msix?.save(),
      intx: this.intxLevel,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("PCI device", saved, 1);
    this.config.restore(state.state("config"));
    this.msi?.restore(state.state("msi"));
    this.msix?.restore(state.state("msix"));
    this.intxLevel = state.boolean("intx");
    this.configChanged();
  }
}
