/**
 * What a Linux guest of KVM finds: the signature, kvmclock; PV EOI and steal time are in files of their own. Linux kernel
 * documentation, virt/kvm/x86/cpuid.rst and msr.rst; the pvclock page is arch/x86/include/asm/pvclock-abi.h.
 */

import type { Clock, WallClock } from "../clock.ts";
import type { GuestMemory } from "../guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import { KvmEoiFlag } from "./eoi-flag.ts";
import { KvmStealTime } from "./steal-time.ts";

export const KVM_CPUID_FIRST = 0x40000000;
const KVM_CPUID_FEATURES = 0x40000001;
const KVM_CPUID_LAST = 0x400000ff;
const SIGNATURE = "KVMKVMKVM\0\0\0";

/**
 * Bits of EAX of the features leaf. Page faults are never asynchronous here, and one processor needs neither paravirtual
 * IPIs and TLB flushes nor kicks.
 */
const Feature = {
  CLOCKSOURCE: 1 << 0,
  NOP_IO_DELAY: 1 << 1,
  CLOCKSOURCE2: 1 << 3,
  STEAL_TIME: 1 << 5,
  PV_EOI: 1 << 6,
  CLOCKSOURCE_STABLE: 1 << 24,
} as const;
const FEATURES =
  Feature.CLOCKSOURCE |
  Feature.NOP_IO_DELAY |
  Feature.CLOCKSOURCE2 |
  Feature.STEAL_TIME |
  Feature.PV_EOI |
  Feature.CLOCKSOURCE_STABLE;

const MSR_WALL_CLOCK = 0x11;
const MSR_SYSTEM_TIME = 0x12;
const MSR_WALL_CLOCK_NEW = 0x4b564d00;
const MSR_SYSTEM_TIME_NEW = 0x4b564d01;
const MSR_STEAL_TIME = 0x4b564d03;
const MSR_PV_EOI = 0x4b564d04;

const ENABLE = 1n;
/** pvclock: the TSC may be trusted to be the same on all processors. */
const PVCLOCK_TSC_STABLE = 1;
const PVCLOCK_BYTES = 32;
const WALL_CLOCK_BYTES = 12;
/** (ticks << 1) * 2^31 >> 32 = ticks: the TSC counts nanoseconds. */
const TSC_TO_NS_MULTIPLIER = 0x80000000;
const TSC_TO_NS_SHIFT = 1;
const NS_PER_SECOND = 1_000_000_000;

interface Registers {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface KvmOptions {
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly memory: GuestMemory;
  /** The processor's time-stamp counter as the guest reads it now. */
  readonly timeStampCounter: () => number;
}

export class KvmParavirtual implements Saveable {
  readonly eoiFlag: KvmEoiFlag;
  readonly stealTime: KvmStealTime;
  private wallClock = 0n;
  private systemTime = 0n;
  /** Odd while the page is being written, as the guest sees it. */
  private version = 0;

  constructor(private readonly options: KvmOptions) {
    this.eoiFlag = new KvmEoiFlag(options.memory);
    this.stealTime = new KvmStealTime(options.memory);
  }

  reset(): void {
    this.wallClock = 0n;
    this.systemTime = 0n;
    this.eoiFlag.reset();
    this.stealTime.reset();
  }

  /** CPUID of the hypervisor's leaves; undefined for leaves that are not. */
  cpuid(leaf: number): Registers | undefined {
    if (leaf < KVM_CPUID_FIRST || leaf > KVM_CPUID_LAST) return undefined;
    if (leaf === KVM_CPUID_FIRST) {
      const [ebx, ecx, edx] = [0, 4, 8].map((at) =>
        [0, 1, 2, 3].reduce((word, index) => word | (SIGNATURE.charCodeAt(at + index) << (8 * index)), 0),
      );
      return { eax: KVM_CPUID_FEATURES, ebx, ecx, edx };
    }
    return { eax: leaf === KVM_CPUID_FEATURES ? FEATURES : 0, ebx: 0, ecx: 0, edx: 0 };
  }

  ownsMsr(index: number): boolean {
    switch (index) {
      case MSR_WALL_CLOCK:
      case MSR_SYSTEM_TIME:
      case MSR_WALL_CLOCK_NEW:
      case MSR_SYSTEM_TIME_NEW:
      case MSR_STEAL_TIME:
      case MSR_PV_EOI:
        return true;
      default:
        return false;
    }
  }

  readMsr(index: number): bigint | undefined {
    switch (index) {
      case MSR_WALL_CLOCK:
      case MSR_WALL_CLOCK_NEW:
        return this.wallClock;
      case MSR_SYSTEM_TIME:
      case MSR_SYSTEM_TIME_NEW:
        return this.systemTime;
      case MSR_STEAL_TIME:
        return this.stealTime.msr;
      case MSR_PV_EOI:
        return this.eoiFlag.msr;
      default:
        return undefined;
    }
  }

  /** @returns false for values that KVM refuses with #GP */
  writeMsr(index: number, value: bigint): boolean {
    switch (index) {
      case MSR_WALL_CLOCK:
      case MSR_WALL_CLOCK_NEW:
        this.wallClock = value;
        this.writeWallClock(Number(value));
        return true;
      case MSR_SYSTEM_TIME:
      case MSR_SYSTEM_TIME_NEW:
        this.systemTime = value;
        this.writeSystemTime();
        return true;
      case MSR_STEAL_TIME:
        return this.stealTime.write(value);
      case MSR_PV_EOI:
        return this.eoiFlag.write(value);
      default:
        return false;
    }
  }

  /** Time of day at which the machine's clock was zero. */
  private writeWallClock(address: number): void {
    const { clock, wall, memory } = this.options;
    const { seconds, nanoseconds } = wall.realtime();
    const now = clock.now();
    const ns = nanoseconds - (now % NS_PER_SECOND);
    const borrow = ns < 0 ? 1 : 0;
    const bytes = new Uint8Array(WALL_CLOCK_BYTES);
    const view = new DataView(bytes.buffer);
    this.version = (this.version + 2) >>> 0;
    view.setUint32(0, this.version, true);
    view.setUint32(4, seconds - Math.floor(now / NS_PER_SECOND) - borrow, true);
    view.setUint32(8, ns + borrow * NS_PER_SECOND, true);
    memory.write(address, bytes);
  }

  /** The page stays right as long as the TSC is the clock plus a constant: it is written once. */
  private writeSystemTime(): void {
    if ((this.systemTime & ENABLE) === 0n) return;
    const { clock, memory, timeStampCounter } = this.options;
    const bytes = new Uint8Array(PVCLOCK_BYTES);
    const view = new DataView(bytes.buffer);
    this.version = (this.version + 2) >>> 0;
    const tsc = timeStampCounter();
    view.setUint32(0, this.version, true);
    view.setBigUint64(8, BigInt.asUintN(64, BigInt(tsc)), true);
    view.setBigUint64(16, BigInt(clock.now()), true);
    view.setUint32(24, TSC_TO_NS_MULTIPLIER, true);
    view.setInt8(28, TSC_TO_NS_SHIFT);
    view.setUint8(29, PVCLOCK_TSC_STABLE);
    memory.write(Number(this.systemTime & ~ENABLE), bytes);
  }

  save(): SavedState {
    return {
      version: 2,
      wallClock: this.wallClock,
      systemTime: this.systemTime,
      pageVersion: this.version,
      eoiFlag: this.eoiFlag.save(),
      stealTime: this.stealTime.save(),
    };
  }

  /**
   * The guest's page is in its RAM and stays right: clock and TSC go on from where they were, as with KVM_SET_CLOCK after
   * a migration. The guest's time of day is behind until it asks somebody (the RTC, NTP).
   */
  restore(saved: SavedState): void {
    const state = new StateReader("KVM clock", saved, 2);
    this.wallClock = state.u64("wallClock");
    this.systemTime = state.u64("systemTime");
    this.version = state.u32("pageVersion");
    if (state.version === 1) {
      // There was no PV EOI, and steal time was always zero.
      this.eoiFlag.reset();
      this.stealTime.restore({ version: 1, register: state.u64("stealTime") });
      return;
    }
    this.eoiFlag.restore(state.state("eoiFlag"));
    this.stealTime.restore(state.state("stealTime"));
  }
}
