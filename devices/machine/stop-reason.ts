/** Why a machine stopped. */

export type StopReason =
  /** The guest switched itself off (ACPI S5). */
  | { readonly kind: "power-off" }
  /** The guest wants to be started again: keyboard controller, ACPI, CF9H. */
  | { readonly kind: "reset" }
  /** `isa-debug-exit`: with this exit status. */
  | { readonly kind: "debug-exit"; readonly status: number }
  /** Its kernel said that it has died (pvpanic). */
  | { readonly kind: "guest-panic"; readonly crashLoaded: boolean }
  /** An exception while a double fault was delivered. */
  | { readonly kind: "triple-fault" }
  /** It waits for an interrupt with interrupts disabled: nothing will ever happen. */
  | { readonly kind: "dead-halt" }
  /** {@link import("./machine.ts").Machine.pause} was called: it goes on when it is run again. */
  | { readonly kind: "paused" }
  /** The BIOS has nothing to boot (any more). */
  | { readonly kind: "no-boot-device"; readonly why: string }
  /** Somebody outside stopped it. */
  | { readonly kind: "quit" };
