// Tools for tests: of applications that use this package, and of storages written for it.

// What every storage must do.
export type {
  ContractGaps,
  ContractRunner,
  CreateStorage,
  StorageContractOptions,
  StorageUnderTest,
} from "./contract/contract-options.js";
export { ContractViolation } from "./contract/contract-violation.js";
// A storage that fails when told to.
export { FaultyStorage, type StorageOperation } from "./faulty-storage.js";
// Time that is turned by hand.
export { ManualClock } from "./manual-clock.js";
export { storageContract } from "./storage-contract.js";
