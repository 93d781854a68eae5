export type UUID = `${string}-${string}-${string}-${string}-${string}`;
export type Agent = Record<string, unknown>;
export type ChannelType = string;
