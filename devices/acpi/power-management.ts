/** ACPI's fixed hardware: ACPI specification 6.3, 4.8 "ACPI Register Model". Power-off (S5), PM timer, power button, reset. */

import type { AccessSize, Bus, PortDevice } from "../bus.ts";
import { type Clock, restoreTimer, type Timer } from "../clock.ts";
import type { InterruptLine } from "../interrupt-line.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";

/** The register block: PM1a_EVT (4 bytes), PM1a_CNT (2), a gap, PM_TMR (4). */
export const PM_PORT = 0x600;
export const PM1_EVENT = 0;
export const PM1_CONTROL = 4;
export const PM_TIMER = 8;
const PM_PORTS = 12;

/** FADT's RESET_REG: the chipsets' CF9H, with what is written there (ICH9 datasheet, 13.7.5: RST_CPU with SYS_RST). */
export const RESET_PORT = 0xcf9;
export const RESET_VALUE = 0x06;
const RESET_CPU = 1 << 2;

/** SLP_TYPa of S5, as \_S5 in the DSDT says. */
export const SLEEP_TYPE_S5 = 5;

/** 4.8.3.1 */
const Event = {
  Timer: 1 << 0,
  Global: 1 << 5,
  PowerButton: 1 << 8,
  SleepButton: 1 << 9,
  Rtc: 1 << 10,
  Wake: 1 << 15,
} as const;
const EVENTS = Event.Timer | Event.Global | Event.PowerButton | Event.SleepButton | Event.Rtc | Event.Wake;
/** 4.8.3.2 */
const SCI_EN = 1 << 0;
const SLP_EN = 1 << 13;
const CONTROL_WRITABLE = 0x1c06;

/** 4.8.3.3 */
const PM_TIMER_HZ = 3_579_545;
const NS_PER_SECOND = 1e9;
/** The FADT says TMR_VAL_EXT: 32 bits. TMR_STS is set when the highest bit changes. */
const TIMER_HALF = 2 ** 31;

export interface PowerOutputs {
  powerOff(): void;
  reset(): void;
}

export class AcpiPowerManagement implements PortDevice, Saveable {
  private status = 0;
  private enabled = 0;
  private control = SCI_EN; // there is no legacy mode to switch from
  private readonly timer: Timer;
  private resetControl = 0;

  constructor(
    private readonly clock: Clock,
    private readonly sci: InterruptLine,
    private readonly outputs: PowerOutputs,
  ) {
    this.timer = clock.timer(() => {
      this.status |= Event.Timer;
      this.update();
    });
  }

  mapOn(bus: Bus): void {
    bus.mapPorts(PM_PORT, PM_PORTS, this, 4);
    bus.mapPorts(RESET_PORT, 1, {
      readPort: () => this.resetControl,
      writePort: (_offset: number, _size: AccessSize, value: number) => {
        this.resetControl = value & 0xa;
        if ((value & RESET_CPU) !== 0) this.outputs.reset();
      },
    });
  }

  reset(): void {
    this.status = 0;
    this.enabled = 0;
    this.control = SCI_EN;
    this.resetControl = 0;
    this.update();
  }

  /** Somebody presses the button: the guest is asked to switch itself off. */
  pressPowerButton(): void {
    this.status |= Event.PowerButton;
    this.update();
  }

  private update(): void {
    this.sci.set((this.status & this.enabled & ~Event.Wake) !== 0);
    if ((this.enabled & Event.Timer) === 0 || (this.status & Event.Timer) !== 0) this.timer.cancel();
    else if (this.timer.deadline === undefined) {
      const left = TIMER_HALF - (this.ticks % TIMER_HALF);
      this.timer.schedule(this.clock.now() + (left * NS_PER_SECOND) / PM_TIMER_HZ);
    }
  }

  /** Seconds apart: the product of both would leave the whole numbers after 40 minutes. */
  private get ticks(): number {
    const now = this.clock.now();
    const seconds = Math.floor(now / NS_PER_SECOND);
    return (
      seconds * PM_TIMER_HZ + Math.floor(((now - seconds * NS_PER_SECOND) * PM_TIMER_HZ) / NS_PER_SECOND)
    );
  }

  /** All registers as 12 bytes; the parts that an access names are taken from there. */
  readPort(offset: number, size: AccessSize): number {
    const view = new DataView(new ArrayBuffer(PM_PORTS + 4));
    view.setUint16(PM1_EVENT, this.status, true);
    view.setUint16(PM1_EVENT + 2, this.enabled, true);
    view.setUint16(PM1_CONTROL, this.control, true);
    view.setUint32(PM_TIMER, this.ticks % 2 ** 32, true);
    return size === 1
      ? view.getUint8(offset)
      : size === 2
        ? view.getUint16(offset, true)
        : view.getUint32(offset, true);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    for (let index = 0; index < size; index++) this.writeByte(offset + index, (value >>> (8 * index)) & 0xff);
    this.update();
  }

  private writeByte(offset: number, value: number): void {
    const shift = 8 * (offset & 1);
    const keep = 0xff00 >>> shift;
    switch (offset & ~1) {
      case PM1_EVENT:
        this.status &= ~(value << shift);
        return;
      case PM1_EVENT + 2:
        this.enabled = ((this.enabled & keep) | (value << shift)) & EVENTS;
        return;
      case PM1_CONTROL: {
        const written = (this.control & keep) | (value << shift);
        this.control = SCI_EN | (written & CONTROL_WRITABLE);
        const sleepType = (written >>> 10) & 7;
        if ((written & SLP_EN) !== 0 && sleepType === SLEEP_TYPE_S5) this.outputs.powerOff();
        return;
      }
    }
  }

  save(): SavedState {
    return {
      version: 1,
      status: this.status,
      enabled: this.enabled,
      control: this.control,
      resetControl: this.resetControl,
      deadline: this.timer.deadline,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("ACPI power management", saved, 1);
    this.status = state.u16("status") & EVENTS;
    this.enabled = state.u16("enabled") & EVENTS;
    this.control = SCI_EN | (state.u16("control") & CONTROL_WRITABLE);
    this.resetControl = state.u8("resetControl");
    restoreTimer(this.timer, state.deadline("deadline"));
    this.update();
  }
}
