/**
 * PV EOI: a bit in the guest's memory by which it ends an interrupt without a write to its local APIC. Linux kernel
 * documentation, virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN; who sets the bit when is the local APIC's business.
 */

import type { EoiFlag } from "../apic/local-apic.ts";
import type { GuestMemory } from "../guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";

/** Bit 0 of the register enables it, bit 1 is reserved; the rest is the address of 4 bytes. */
const ENABLE = 1n;
const RESERVED = 2n;
const ADDRESS = ~3n;
/** Bit 0 of the bytes: "no EOI required". */
const NO_EOI_REQUIRED = 1;
const NOWHERE = -1;

export class KvmEoiFlag implements EoiFlag, Saveable {
  private register = 0n;
  /** Where the bit stands in memory now, or {@link NOWHERE}: the register may have changed since. */
  private raisedAt = NOWHERE;

  constructor(private readonly memory: GuestMemory) {}

  reset(): void {
    this.register = 0n;
    this.raisedAt = NOWHERE;
  }

  get msr(): bigint {
    return this.register;
  }

  /** @returns false for values that KVM refuses with #GP */
  write(value: bigint): boolean {
    if ((value & RESERVED) !== 0n) return false;
    this.register = value;
    return true;
  }

  raise(): boolean {
    if ((this.register & ENABLE) === 0n) return false;
    const address = Number(this.register & ADDRESS);
    const byte = this.memory.read(address, 1);
    if (byte === undefined) return false;
    this.memory.write(address, Uint8Array.of(byte[0] | NO_EOI_REQUIRED));
    this.raisedAt = address;
    return true;
  }

  lower(): boolean {
    const address = this.raisedAt;
    const byte = address === NOWHERE ? undefined : this.memory.read(address, 1);
    this.raisedAt = NOWHERE;
    if (byte === undefined) return false;
    if ((byte[0] & NO_EOI_REQUIRED) === 0) return true;
    this.memory.write(address, Uint8Array.of(byte[0] & ~NO_EOI_REQUIRED));
    return false;
  }

  save(): SavedState {
    return {
      version: 1,
      register: this.register,
      ...(this.raisedAt !== NOWHERE && { raisedAt: this.raisedAt }),
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("KVM's EOI flag", saved, 1);
    this.register = state.u64("register");
    this.raisedAt =
      state.optional("raisedAt") === undefined ? NOWHERE : state.integer("raisedAt", this.memory.size - 1);
  }
}
