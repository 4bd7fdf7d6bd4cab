/** The configuration file that commands look for where none is named. */
export const DEFAULT_CONFIG = "headgate.yaml";
