/** What travels between interrupt sources (I/O APIC, MSI, other processors) and local APICs. */

/** Intel SDM vol. 3, 11.6.1 and 11.11.2: the field of three bits that is the same in the ICR, in redirection entries and in MSI data. */
export const DeliveryMode = {
  Fixed: 0,
  LowestPriority: 1,
  Smi: 2,
  Nmi: 4,
  Init: 5,
  StartUp: 6,
  ExtInt: 7,
} as const;

export interface InterruptMessage {
  readonly vector: number;
  /** A {@link DeliveryMode}; reserved values are delivered to nobody. */
  readonly deliveryMode: number;
  readonly destination: number;
  /** Destination mode: a set of logical APIC IDs rather than one physical ID. */
  readonly logical: boolean;
  /** Trigger mode: level. The I/O APIC is told of the EOI. */
  readonly level: boolean;
}

/** Takes interrupt messages: the APIC bus, or a test. */
export interface InterruptMessageSink {
  deliver(message: InterruptMessage): void;
}

/**
 * The message that a write to the MSI address window means (Intel SDM vol. 3, 11.11; PCI Local Bus 3.0, 6.8). The window
 * is FEE00000–FEEFFFFF; an address elsewhere is an ordinary write to memory, which nothing here makes.
 */
export function decodeMsi(address: number, data: number): InterruptMessage {
  return {
    vector: data & 0xff,
    deliveryMode: (data >>> 8) & 7,
    destination: (address >>> 12) & 0xff,
    logical: (address & 4) !== 0,
    level: (data & 0x8000) !== 0,
  };
}
