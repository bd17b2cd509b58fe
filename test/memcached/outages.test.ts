import { commonOutages } from "../helpers/common-outages.js";
import { startMemcached } from "../helpers/servers.js";

commonOutages({
  name: "Memcached",
  start: startMemcached,
  strategies: ["sliding-window-counter", "fixed-window"],
});
