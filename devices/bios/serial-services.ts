/** INT 14h: the serial port by its registers (Phoenix, "System BIOS", chapter 14). INT 17h: there is no printer. */

import type { Bus } from "../bus.ts";
import { COM1 } from "../uart16550.ts";
import type { BiosCall } from "./bios-processor.ts";

/** Offsets of the 16550's registers. */
const [DATA, LINE_CONTROL, LINE_STATUS, MODEM_STATUS] = [0, 3, 5, 6];
const DLAB = 0x80;
const READY = 0x01;
const TIMEOUT = 0x80;
const BASE_RATE = 115_200;
/** AL bits 7…5 (00h). */
const RATES = [110, 150, 300, 600, 1200, 2400, 4800, 9600];

export class SerialServices {
  constructor(private readonly bus: Bus) {}

  serve(call: BiosCall): void {
    const { registers } = call;
    if (registers.dx !== 0) {
      registers.ah = TIMEOUT; // there is one port
      return;
    }
    switch (registers.ah) {
      case 0x00:
        this.initialize(registers.al);
        registers.ax = this.status;
        return;
      case 0x01:
        this.write(DATA, registers.al);
        registers.ah = this.read(LINE_STATUS);
        return;
      case 0x02:
        if ((this.read(LINE_STATUS) & READY) === 0) {
          registers.ah = TIMEOUT;
          return;
        }
        registers.ax = this.read(DATA) | ((this.read(LINE_STATUS) & 0x1e) << 8);
        return;
      case 0x03:
        registers.ax = this.status;
        return;
    }
  }

  printer(call: BiosCall): void {
    call.registers.ah = 0x01; // time-out
  }

  private initialize(parameters: number): void {
    const divisor = Math.round(BASE_RATE / RATES[parameters >> 5]);
    this.write(LINE_CONTROL, DLAB);
    this.write(DATA, divisor & 0xff);
    this.write(DATA + 1, divisor >> 8);
    this.write(LINE_CONTROL, parameters & 0x1f);
  }

  private get status(): number {
    return (this.read(LINE_STATUS) << 8) | this.read(MODEM_STATUS);
  }

  private read(offset: number): number {
    return this.bus.readPort(COM1.port + offset, 1);
  }

  private write(offset: number, value: number): void {
    this.bus.writePort(COM1.port + offset, 1, value);
  }
}
