/**
 * A serial port: National Semiconductor PC16550D datasheet (1995), chapter 8 "Registers". What is behind it (a terminal, a
 * file) is a {@link SerialBackend}.
 *
 * Sent bytes leave at once: the transmitter is always empty again when the guest looks. The baud rate means nothing.
 */

import type { AccessSize, PortDevice } from "./bus.ts";
import { type Clock, restoreTimer, type Timer } from "./clock.ts";
import type { InterruptLine } from "./interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

export const COM1 = { port: 0x3f8, irq: 4 } as const;
export const COM2 = { port: 0x2f8, irq: 3 } as const;

/** Register offsets; 0 and 1 are the divisor latch while LCR bit 7 is set. */
const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RDA = 1 << 0;
const IER_THRE = 1 << 1;
const IER_RLS = 1 << 2;
const IER_MS = 1 << 3;

/** Interrupt identification, table III. */
const IIR_NONE = 0x01;
const IIR_MS = 0x00;
const IIR_THRE = 0x02;
const IIR_RDA = 0x04;
const IIR_RLS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 1 << 0;
const FCR_RESET_RECEIVER = 1 << 1;
const FCR_RESET_TRANSMITTER = 1 << 2;
const TRIGGERS = [1, 4, 8, 14] as const;

const LCR_DLAB = 1 << 7;

const MCR_OUT2 = 1 << 3;
const MCR_LOOP = 1 << 4;

const LSR_DR = 1 << 0;
const LSR_OE = 1 << 1;
const LSR_BI = 1 << 4;
const LSR_THRE = 1 << 5;
const LSR_TEMT = 1 << 6;
const LSR_ERRORS = 0x1e;

/** CTS, DSR and DCD: the other side is there and ready. */
const MSR_READY = 0xb0;

const FIFO_BYTES = 16;
/** Four characters of 10 bits at 115,200 baud: what a byte waits below the trigger level before it is announced. */
const TIMEOUT_NS = 350_000;

/** The other end of the cable. */
export interface SerialBackend {
  /** A byte that the guest has sent. */
  transmit(byte: number): void;
  /** The receiver has room again after {@link Uart16550.receive} took less than it was given. */
  receiverReady?(): void;
}

export class Uart16550 implements PortDevice, Saveable {
  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private errors = 0;
  private scr = 0;
  private divisor = 12; // 9,600 baud
  private msrDelta = 0;
  /** The THRE interrupt is pending: set by an empty transmitter, reset by reading IIR or by writing THR. */
  private threPending = false;
  private timedOut = false;
  private readonly fifo: number[] = [];
  private wantsMore = false;
  private readonly timer: Timer;

  constructor(
    clock: Clock,
    private readonly interrupt: InterruptLine,
    private readonly backend: SerialBackend,
  ) {
    this.clock = clock;
    this.timer = clock.timer(() => {
      this.timedOut = this.fifo.length > 0;
      this.update();
    });
  }

  private readonly clock: Clock;

  reset(): void {
    this.ier = 0;
    this.fcr = 0;
    this.lcr = 0;
    this.mcr = 0;
    this.errors = 0;
    this.msrDelta = 0;
    this.threPending = false;
    this.timedOut = false;
    this.fifo.length = 0;
    this.timer.cancel();
    this.update();
  }

  /** Has the guest set the line up? Every program that drives the port itself does, and power-on has not. */
  get isConfigured(): boolean {
    return this.lcr !== 0;
  }

  /**
   * Bytes from the other side.
   * @returns how many there was room for; the backend is told when there is room for the rest
   */
  receive(bytes: Uint8Array): number {
    if ((this.mcr & MCR_LOOP) !== 0) return bytes.length; // the input pin is not connected
    const capacity = this.fifosEnabled ? FIFO_BYTES : 1;
    const taken = Math.min(bytes.length, Math.max(0, capacity - this.fifo.length));
    for (let index = 0; index < taken; index++) this.fifo.push(bytes[index]);
    this.wantsMore = taken < bytes.length;
    if (taken > 0) this.received();
    return taken;
  }

  /** The line is held low for longer than a character takes: one zero comes, and the mark that it is no character. */
  receiveBreak(): void {
    if ((this.mcr & MCR_LOOP) !== 0) return;
    this.errors |= LSR_BI;
    if (this.fifo.length < (this.fifosEnabled ? FIFO_BYTES : 1)) this.fifo.push(0);
    this.received();
  }

  private get fifosEnabled(): boolean {
    return (this.fcr & FCR_ENABLE) !== 0;
  }

  private get trigger(): number {
    return this.fifosEnabled ? TRIGGERS[this.fcr >>> 6] : 1;
  }

  private received(): void {
    this.timedOut = false;
    if (this.fifo.length < this.trigger) this.timer.schedule(this.clock.now() + TIMEOUT_NS);
    else this.timer.cancel();
    this.update();
  }

  /** The pending interrupt of the highest priority (table III). */
  private get identification(): number {
    const { ier } = this;
    if ((ier & IER_RLS) !== 0 && this.errors !== 0) return IIR_RLS;
    if ((ier & IER_RDA) !== 0) {
      if (this.fifo.length >= this.trigger) return IIR_RDA;
      if (this.timedOut) return IIR_TIMEOUT;
    }
    if ((ier & IER_THRE) !== 0 && this.threPending) return IIR_THRE;
    if ((ier & IER_MS) !== 0 && this.msrDelta !== 0) return IIR_MS;
    return IIR_NONE;
  }

  /** OUT2 connects the chip to the interrupt controller on a PC. */
  private update(): void {
    const connected = (this.mcr & MCR_OUT2) !== 0 && (this.mcr & MCR_LOOP) === 0;
    this.interrupt.set(connected && this.identification !== IIR_NONE);
  }

  private get lineStatus(): number {
    return LSR_THRE | LSR_TEMT | this.errors | (this.fifo.length > 0 ? LSR_DR : 0);
  }

  private transmit(byte: number): void {
    if ((this.mcr & MCR_LOOP) === 0) this.backend.transmit(byte);
    else if (this.fifo.length < (this.fifosEnabled ? FIFO_BYTES : 1)) {
      this.fifo.push(byte);
      this.received();
    } else this.errors |= LSR_OE;
    this.threPending = true;
    this.update();
  }

  private takeReceived(): number {
    const byte = this.fifo.shift() ?? 0;
    this.timedOut = false;
    this.timer.cancel();
    if (this.fifo.length === 0) {
      if (this.wantsMore) {
        this.wantsMore = false;
        this.backend.receiverReady?.();
      }
    } else if (this.fifo.length < this.trigger) this.timer.schedule(this.clock.now() + TIMEOUT_NS);
    this.update();
    return byte;
  }

  /** In loop mode the outputs of MCR come back as the inputs (8.6.6). */
  private get modemInputs(): number {
    if ((this.mcr & MCR_LOOP) === 0) return MSR_READY;
    const { mcr } = this;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
  }

  readPort(offset: number, _size: AccessSize): number {
    const latched = (this.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case RBR_THR:
        return latched ? this.divisor & 0xff : this.takeReceived();
      case IER:
        return latched ? this.divisor >>> 8 : this.ier;
      case IIR_FCR: {
        const identification = this.identification;
        if (identification === IIR_THRE) {
          this.threPending = false;
          this.update();
        }
        return identification | (this.fifosEnabled ? IIR_FIFOS : 0);
      }
      case LCR:
        return this.lcr;
      case MCR:
        return this.mcr;
      case LSR: {
        const status = this.lineStatus;
        this.errors &= ~LSR_ERRORS;
        this.update();
        return status;
      }
      case MSR: {
        const status = this.modemInputs | this.msrDelta;
        this.msrDelta = 0;
        this.update();
        return status;
      }
      default:
        return this.scr;
    }
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    const latched = (this.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case RBR_THR:
        if (latched) this.divisor = (this.divisor & 0xff00) | value;
        else this.transmit(value);
        return;
      case IER:
        if (latched) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.writeIer(value & 0xf);
        return;
      case IIR_FCR:
        this.writeFcr(value);
        return;
      case LCR:
        this.lcr = value;
        return;
      case MCR:
        this.writeMcr(value & 0x1f);
        return;
      case SCR:
        this.scr = value;
        return;
      default:
        return; // LSR and MSR are for factory tests
    }
  }

  /** Enabling the THRE interrupt while the transmitter is empty raises it at once. */
  private writeIer(value: number): void {
    if ((value & IER_THRE) !== 0 && (this.ier & IER_THRE) === 0) this.threPending = true;
    this.ier = value;
    this.update();
  }

  private writeFcr(value: number): void {
    const toggled = ((this.fcr ^ value) & FCR_ENABLE) !== 0;
    if (toggled || (value & FCR_RESET_TRANSMITTER) !== 0) this.threPending = true; // it has become empty
    if (toggled || (value & FCR_RESET_RECEIVER) !== 0) {
      this.fifo.length = 0;
      this.timedOut = false;
      this.timer.cancel();
      if (this.wantsMore) {
        this.wantsMore = false;
        this.fcr = value & ~(FCR_RESET_RECEIVER | FCR_RESET_TRANSMITTER);
        this.backend.receiverReady?.();
      }
    }
    this.fcr = (value & FCR_ENABLE) !== 0 ? value & ~(FCR_RESET_RECEIVER | FCR_RESET_TRANSMITTER) : 0;
    this.update();
  }

  private writeMcr(value: number): void {
    const before = this.modemInputs;
    this.mcr = value;
    const changed = (before ^ this.modemInputs) >>> 4;
    // Ring indicator counts when it ends (TERI).
    this.msrDelta |= changed & ~(changed & 4 & (this.modemInputs >>> 4));
    this.update();
  }

  save(): SavedState {
    return {
      version: 1,
      ier: this.ier,
      fcr: this.fcr,
      lcr: this.lcr,
      mcr: this.mcr,
      errors: this.errors,
      scr: this.scr,
      divisor: this.divisor,
      msrDelta: this.msrDelta,
      threPending: this.threPending,
      timedOut: this.timedOut,
      fifo: new Uint8Array(this.fifo),
      wantsMore: this.wantsMore,
      deadline: this.timer.deadline,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("16550A", saved, 1);
    this.ier = state.integer("ier", 0xf);
    this.fcr = state.u8("fcr");
    this.lcr = state.u8("lcr");
    this.mcr = state.integer("mcr", 0x1f);
    this.errors = state.u8("errors") & LSR_ERRORS;
    this.scr = state.u8("scr");
    this.divisor = state.u16("divisor");
    this.msrDelta = state.integer("msrDelta", 0xf);
    this.threPending = state.boolean("threPending");
    this.timedOut = state.boolean("timedOut");
    this.fifo.splice(0, this.fifo.length, ...state.bytes("fifo").subarray(0, FIFO_BYTES));
    this.wantsMore = state.boolean("wantsMore");
    restoreTimer(this.timer, state.deadline("deadline"));
    this.update();
  }
}
