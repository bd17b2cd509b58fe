import type { Milliseconds } from "../../core/clock.js";
import type { Storage } from "../../core/storage.js";
import type { StrategyName } from "../../core/strategy.js";
import type { MaybePromise } from "../../core/when-ready.js";

/** The functions of a test runner that the contract needs. Those of vitest, jest, mocha and node:test fit. */
export interface ContractRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/** A storage made for one test. */
export interface StorageUnderTest {
  readonly storage: Storage;
  /** Lets time pass for the storage: turns its clock, or really waits. */
  readonly advance: (ms: Milliseconds) => MaybePromise<void>;
  /** Called when the test is over, however it ended. */
  readonly close?: (() => MaybePromise<void>) | undefined;
}

/** Makes a storage; called once for each test. Storages may share a server: the contract's keys are unique. */
export type CreateStorage = () => MaybePromise<StorageUnderTest>;

/** What a storage cannot do, and why: the reason stands in the test's name. */
export interface ContractGaps {
  /** It cannot list its keys. Then `reset` must throw or reject. @example "memcached cannot list keys" */
  readonly reset?: string | undefined;
  /** Lists that run at the same time may refuse each other while there is room, but never admit too many. */
  readonly exactLists?: string | undefined;
}

/** Options of `storageContract`. */
export interface StorageContractOptions {
  /**
   * `"manual"`: `advance` turns a clock, and nothing else moves it; instants are compared to the millisecond.
   * `"real"`: `advance` waits; windows are short, and only bounds are checked. @default "manual"
   */
  readonly clock?: "manual" | "real" | undefined;
  /** The strategies it claims to run. @default all four */
  readonly strategies?: readonly StrategyName[] | undefined;
  /** The shortest window it can tell apart; used where real time must pass. @default 500 */
  readonly shortestWindowMs?: Milliseconds | undefined;
  readonly gaps?: ContractGaps | undefined;
}
