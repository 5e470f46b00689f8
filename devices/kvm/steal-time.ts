/**
 * Steal time: how long the host has had something else to do while the guest wanted to run. Linux kernel documentation,
 * virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME (struct kvm_steal_time).
 */

import type { GuestMemory } from "../guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";

const ENABLE = 1n;
/** Bits 1…5 are reserved; the address is a multiple of 64. */
const RESERVED = 0x3en;
const ADDRESS = ~0x3fn;

/** Offsets in the structure; the rest of it is padding. The guest has made it zero. */
const Field = { STEAL: 0, VERSION: 8, FLAGS: 12, PREEMPTED: 16 } as const;
const BYTES = 64;

/** The sum is kept where KVM keeps it: in the guest's memory. */
export class KvmStealTime implements Saveable {
  private register = 0n;
  /** What {@link update} was told last, by the host's count. */
  private seen: number | undefined;

  constructor(private readonly memory: GuestMemory) {}

  reset(): void {
    this.register = 0n;
  }

  get msr(): bigint {
    return this.register;
  }

  /** @returns false for values that KVM refuses with #GP */
  write(value: bigint): boolean {
    if ((value & RESERVED) !== 0n) return false;
    this.register = value;
    this.add(0);
    return true;
  }

  /** @param stolen nanoseconds stolen so far, by the host's count, which begins anywhere and never falls */
  update(stolen: number): void {
    const more = Math.floor(stolen - (this.seen ?? stolen));
    this.seen = stolen;
    if (more > 0) this.add(more);
  }

  /** The version is odd while the structure is being written; the guest, which does not run now, sees even ones only. */
  private add(nanoseconds: number): void {
    if ((this.register & ENABLE) === 0n) return;
    const address = Number(this.register & ADDRESS);
    const bytes = this.memory.read(address, BYTES)?.slice();
    if (bytes === undefined) return;
    const view = new DataView(bytes.buffer);
    const steal = view.getBigUint64(Field.STEAL, true) + BigInt(nanoseconds);
    const version = view.getUint32(Field.VERSION, true);
    view.setBigUint64(Field.STEAL, BigInt.asUintN(64, steal), true);
    view.setUint32(Field.VERSION, ((version | 1) + 1) >>> 0, true);
    view.setUint32(Field.FLAGS, 0, true);
    view.setUint8(Field.PREEMPTED, 0);
    this.memory.write(address, bytes);
  }

  save(): SavedState {
    return { version: 1, register: this.register };
  }

  restore(saved: SavedState): void {
    this.register = new StateReader("KVM's steal time", saved, 1).u64("register");
  }
}
