/** The I/O APIC: Intel 82093AA datasheet (1996), with version 20H and the EOI register of later ones (ICH9, 13.5). */

import type { AccessSize, MemoryDevice } from "../bus.ts";
import type { InterruptLine } from "../interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import type { EoiListener } from "./apic-bus.ts";
import type { InterruptMessageSink } from "./interrupt-message.ts";

/** Memory-mapped registers (82093AA, 3.1; ICH9, 13.5.1). */
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOIR = 0x40;
export const IO_APIC_LENGTH = 0x1000;

/** Indirect registers (82093AA, 3.2). */
const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL = 0x10;

export const IO_APIC_INPUTS = 24;
const VERSION = 0x20 | ((IO_APIC_INPUTS - 1) << 16);

/** Low half of a redirection entry (82093AA, 3.2.4). */
const Entry = {
  LOGICAL: 1 << 11,
  DELIVERY_STATUS: 1 << 12,
  ACTIVE_LOW: 1 << 13,
  REMOTE_IRR: 1 << 14,
  LEVEL: 1 << 15,
  MASKED: 1 << 16,
} as const;
const READ_ONLY = Entry.DELIVERY_STATUS | Entry.REMOTE_IRR;
const LOW_WRITABLE = 0x1afff & ~READ_ONLY;

export class IoApic implements MemoryDevice, EoiListener, Saveable {
  private id = 0;
  private select = 0;
  private readonly low = new Uint32Array(IO_APIC_INPUTS).fill(Entry.MASKED);
  private readonly high = new Uint32Array(IO_APIC_INPUTS);
  /** Level of each input, as driven: true is asserted, whatever the polarity in the entry says. */
  private readonly asserted = new Uint8Array(IO_APIC_INPUTS);
  /** Edges that came while the input was masked are lost, as on hardware; this is about level inputs. */

  constructor(private readonly sink: InterruptMessageSink) {}

  reset(): void {
    this.id = 0;
    this.select = 0;
    this.low.fill(Entry.MASKED);
    this.high.fill(0);
  }

  /** The input pin with this number. Devices assert it; the polarity bit describes wires that are not there. */
  line(input: number): InterruptLine {
    return {
      set: (level) => {
        const rising = level && this.asserted[input] === 0;
        this.asserted[input] = level ? 1 : 0;
        if (rising) this.service(input);
      },
    };
  }

  /** Sends the input's interrupt if it may go out now. */
  private service(input: number): void {
    const low = this.low[input];
    if (this.asserted[input] === 0 || (low & Entry.MASKED) !== 0) return;
    const level = (low & Entry.LEVEL) !== 0;
    if (level) {
      if ((low & Entry.REMOTE_IRR) !== 0) return; // until the EOI
      this.low[input] = low | Entry.REMOTE_IRR;
    }
    this.sink.deliver({
      vector: low & 0xff,
      deliveryMode: (low >>> 8) & 7,
      destination: this.high[input] >>> 24,
      logical: (low & Entry.LOGICAL) !== 0,
      level,
    });
  }

  endOfInterrupt(vector: number): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      const low = this.low[input];
      if ((low & 0xff) !== vector || (low & Entry.LEVEL) === 0 || (low & Entry.REMOTE_IRR) === 0) continue;
      this.low[input] = low & ~Entry.REMOTE_IRR;
      this.service(input);
    }
  }

  private readRegister(): number {
    const index = this.select - IOREDTBL;
    if (index >= 0 && index < IO_APIC_INPUTS * 2) {
      return (index & 1) === 0 ? this.low[index >> 1] : this.high[index >> 1];
    }
    switch (this.select) {
      case IOAPICID:
      case IOAPICARB:
        return this.id * 0x1000000;
      case IOAPICVER:
        return VERSION;
      default:
        return 0;
    }
  }

  private writeRegister(value: number): void {
    const index = this.select - IOREDTBL;
    if (index >= 0 && index < IO_APIC_INPUTS * 2) this.writeEntry(index >> 1, (index & 1) === 1, value);
    else if (this.select === IOAPICID) this.id = (value >>> 24) & 0xf;
  }

  private writeEntry(input: number, isHigh: boolean, value: number): void {
    if (isHigh) {
      this.high[input] = value & 0xff000000;
      return;
    }
    const before = this.low[input];
    let low = (value & LOW_WRITABLE) | (before & Entry.REMOTE_IRR);
    // An edge entry has no remote IRR; Linux clears a stuck one by switching to edge and back.
    if ((low & Entry.LEVEL) === 0) low &= ~Entry.REMOTE_IRR;
    this.low[input] = low;
    if ((low & Entry.LEVEL) !== 0) this.service(input);
  }

  readMemory(offset: number, size: AccessSize): number {
    const word = (offset & ~3) === IOREGSEL ? this.select : (offset & ~3) === IOWIN ? this.readRegister() : 0;
    return size === 4 ? word >>> 0 : (word >>> (8 * (offset & 3))) & (2 ** (8 * size) - 1);
  }

  writeMemory(offset: number, size: AccessSize, value: number): void {
    switch (offset) {
      case IOREGSEL:
        this.select = value & 0xff;
        return;
      case IOWIN:
        if (size === 4) this.writeRegister(value);
        return;
      case EOIR:
        this.endOfInterrupt(value & 0xff);
        return;
    }
  }

  save(): SavedState {
    return {
      version: 1,
      id: this.id,
      select: this.select,
      low: [...this.low],
      high: [...this.high],
      asserted: [...this.asserted],
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("I/O APIC", saved, 1);
    this.id = state.integer("id", 0xf);
    this.select = state.u8("select");
    this.low.set(state.integers("low", IO_APIC_INPUTS, 0x1ffff));
    this.high.set(state.integers("high", IO_APIC_INPUTS, 0xffffffff));
    this.asserted.set(state.integers("asserted", IO_APIC_INPUTS, 1));
  }
}
