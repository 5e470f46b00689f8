/** The processor as BIOS services see it: in real mode, behind the INT instruction that called them. */

/** General registers by their 16-bit names; 8- and 32-bit parts are made from them. */
export type BiosRegister = "ax" | "cx" | "dx" | "bx" | "sp" | "bp" | "si" | "di";
export type BiosSegment = "cs" | "ss" | "ds" | "es";

/** Flags that services return. */
export const ReturnFlag = { Carry: 1 << 0, Zero: 1 << 6, Interrupt: 1 << 9 } as const;

export interface BiosProcessor {
  /** CR0.PE and EFLAGS.VM are clear: nothing but real mode calls a BIOS. */
  readonly isRealMode: boolean;
  /** Linear address of the next instruction. */
  readonly nextAddress: number;
  /** Sets a register's lower 16 bits. */
  set16(register: BiosRegister, value: number): void;
  get16(register: BiosRegister): number;
  set32(register: BiosRegister, value: number): void;
  get32(register: BiosRegister): number;
  selector(segment: BiosSegment): number;
  base(segment: BiosSegment): number;
  setSegment(segment: BiosSegment, selector: number): void;
  /** Execution goes on there. */
  jump(selector: number, offset: number): void;
  enableInterrupts(): void;
}

/** Registers with the names that BIOS references use. */
export class CallRegisters {
  constructor(readonly processor: BiosProcessor) {}

  get ax(): number {
    return this.processor.get16("ax");
  }
  set ax(value: number) {
    this.processor.set16("ax", value);
  }
  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.ax = (this.ax & 0xff00) | (value & 0xff);
  }
  get ah(): number {
    return this.ax >> 8;
  }
  set ah(value: number) {
    this.ax = (this.ax & 0xff) | ((value & 0xff) << 8);
  }
  get bx(): number {
    return this.processor.get16("bx");
  }
  set bx(value: number) {
    this.processor.set16("bx", value);
  }
  get bl(): number {
    return this.bx & 0xff;
  }
  set bl(value: number) {
    this.bx = (this.bx & 0xff00) | (value & 0xff);
  }
  get bh(): number {
    return this.bx >> 8;
  }
  set bh(value: number) {
    this.bx = (this.bx & 0xff) | ((value & 0xff) << 8);
  }
  get cx(): number {
    return this.processor.get16("cx");
  }
  set cx(value: number) {
    this.processor.set16("cx", value);
  }
  get cl(): number {
    return this.cx & 0xff;
  }
  set cl(value: number) {
    this.cx = (this.cx & 0xff00) | (value & 0xff);
  }
  get ch(): number {
    return this.cx >> 8;
  }
  set ch(value: number) {
    this.cx = (this.cx & 0xff) | ((value & 0xff) << 8);
  }
  get dx(): number {
    return this.processor.get16("dx");
  }
  set dx(value: number) {
    this.processor.set16("dx", value);
  }
  get dl(): number {
    return this.dx & 0xff;
  }
  set dl(value: number) {
    this.dx = (this.dx & 0xff00) | (value & 0xff);
  }
  get dh(): number {
    return this.dx >> 8;
  }
  set dh(value: number) {
    this.dx = (this.dx & 0xff) | ((value & 0xff) << 8);
  }
  get si(): number {
    return this.processor.get16("si");
  }
  get di(): number {
    return this.processor.get16("di");
  }
  set di(value: number) {
    this.processor.set16("di", value);
  }
  get bp(): number {
    return this.processor.get16("bp");
  }

  /** Linear address of segment:offset. */
  at(segment: BiosSegment, offset: number): number {
    return this.processor.base(segment) + offset;
  }
}

/** A call under way: its registers, and the flags that the caller finds when the service returns. */
export interface BiosCall {
  readonly registers: CallRegisters;
  setCarry(value: boolean): void;
  setZero(value: boolean): void;
  /** The caller waits, with interrupts enabled, and the service is asked again after the next interrupt. */
  waitForInterrupt(): void;
  /** The service is asked again at once. */
  again(): void;
}
