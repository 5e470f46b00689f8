/** The interconnect of the APICs: hands messages to the local APICs they are for, and EOIs back to the I/O APICs. */

import { DeliveryMode, type InterruptMessage, type InterruptMessageSink } from "./interrupt-message.ts";

/** A local APIC as the bus sees it. */
export interface MessageTarget {
  /** Is this processor among the destinations? */
  matches(destination: number, logical: boolean): boolean;
  /** Processor priority: lowest-priority delivery takes the smallest. */
  readonly priority: number;
  accept(message: InterruptMessage): void;
}

export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

export class ApicBus implements InterruptMessageSink {
  private readonly targets: MessageTarget[] = [];
  private readonly listeners: EoiListener[] = [];

  attach(target: MessageTarget): void {
    this.targets.push(target);
  }

  listen(listener: EoiListener): void {
    this.listeners.push(listener);
  }

  deliver(message: InterruptMessage): void {
    const targets = this.targets.filter((target) => target.matches(message.destination, message.logical));
    if (message.deliveryMode !== DeliveryMode.LowestPriority) {
      for (const target of targets) target.accept(message);
      return;
    }
    let best = targets[0];
    for (const target of targets) if (target.priority < best.priority) best = target;
    best?.accept(message);
  }

  /** Every local APIC but `self`. */
  deliverToOthers(self: MessageTarget, message: InterruptMessage): void {
    for (const target of this.targets) if (target !== self) target.accept(message);
  }

  /** A level-triggered interrupt was finished (SDM vol. 3, 11.8.5). */
  broadcastEoi(vector: number): void {
    for (const listener of this.listeners) listener.endOfInterrupt(vector);
  }
}
