{
  "targets": [
    {
      "target_name": "headgate",
      "sources": [
        "native/addon.c", "native/deflate.c", "native/mask.c", "native/poller.c", "native/socket.c"
      ],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=9"],
      "cflags": ["-std=c11", "-O3", "-Wall", "-Wextra", "-UNDEBUG", "-fvisibility=hidden"]
    }
  ]
}
