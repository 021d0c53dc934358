// RFC 6940 §14: numbers that IANA keeps.

/** Requests are odd and their answers the next even number. §14.8, RFC 7851. */
export const MessageCode = {
  "probe-req": 0x01,
  "probe-ans": 0x02,
  "attach-req": 0x03,
  "attach-ans": 0x04,
  "store-req": 0x07,
  "store-ans": 0x08,
  "fetch-req": 0x09,
  "fetch-ans": 0x0a,
  "find-req": 0x0d,
  "find-ans": 0x0e,
  "join-req": 0x0f,
  "join-ans": 0x10,
  "leave-req": 0x11,
  "leave-ans": 0x12,
  "update-req": 0x13,
  "update-ans": 0x14,
  "route-query-req": 0x15,
  "route-query-ans": 0x16,
  "ping-req": 0x17,
  "ping-ans": 0x18,
  "stat-req": 0x19,
  "stat-ans": 0x1a,
  "app-attach-req": 0x1d,
  "app-attach-ans": 0x1e,
  "config-update-req": 0x21,
  "config-update-ans": 0x22,
  error: 0xffff,
} as const

/** §14.9. */
export const ErrorCode = {
  Error_Forbidden: 2,
  Error_Not_Found: 3,
  Error_Request_Timeout: 4,
  Error_Generation_Counter_Too_Low: 5,
  Error_Incompatible_with_Overlay: 6,
  Error_Unsupported_Forwarding_Option: 7,
  Error_Data_Too_Large: 8,
  Error_Data_Too_Old: 9,
  Error_TTL_Exceeded: 0x0a,
  Error_Message_Too_Large: 0x0b,
  Error_Unknown_Kind: 0x0c,
  Error_Unknown_Extension: 0x0d,
  Error_Response_Too_Large: 0x0e,
  Error_Config_Too_Old: 0x0f,
  Error_Config_Too_New: 0x10,
  Error_In_Progress: 0x11,
  Error_Invalid_Message: 0x14,
} as const
export type ErrorName = keyof typeof ErrorCode
