// A WebSocket client on github.com/gorilla/websocket that does what stdin says, a line a
// command, and tells on stdout what it sees. process-peer.ts has the lines. It judges nothing.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A longer message leaves in several frames: the library has no other way to send fragments.
const frameBytesMax = 70_000

const handshakeTimeout = 10 * time.Second

var outputLock sync.Mutex

func tell(format string, values ...any) {
	outputLock.Lock()
	defer outputLock.Unlock()
	fmt.Printf(format+"\n", values...)
}

// fail ends this process: the test finds the sentence on stderr.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func encode(payload []byte) string {
	if len(payload) == 0 {
		return "-"
	}
	return hex.EncodeToString(payload)
}

func decode(word string) []byte {
	if word == "-" {
		return []byte{}
	}
	payload, err := hex.DecodeString(word)
	if err != nil {
		fail(err)
	}
	return payload
}

func opcode(word string) int {
	if word == "text" {
		return websocket.TextMessage
	}
	return websocket.BinaryMessage
}

func open(url, subprotocols, compression string) *websocket.Conn {
	dialer := websocket.Dialer{
		HandshakeTimeout:  handshakeTimeout,
		WriteBufferSize:   frameBytesMax,
		EnableCompression: compression == "on",
	}
	if subprotocols != "-" {
		dialer.Subprotocols = strings.Split(subprotocols, ",")
	}
	connection, response, err := dialer.Dial(url, http.Header{})
	if err != nil {
		if response == nil {
			fail(err)
		}
		// The library keeps the first kilobyte of the body.
		body, err := io.ReadAll(response.Body)
		if err != nil {
			fail(err)
		}
		tell("refused %d %s", response.StatusCode, encode(body))
		return nil
	}
	connection.SetPongHandler(func(payload string) error {
		tell("pong %s", encode([]byte(payload)))
		return nil
	})
	extensions := "-"
	if strings.HasPrefix(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		extensions = "permessage-deflate"
	}
	subprotocol := connection.Subprotocol()
	if subprotocol == "" {
		subprotocol = "-"
	}
	tell("open %s %s", subprotocol, extensions)
	go receive(connection)
	return connection
}

func receive(connection *websocket.Conn) {
	defer connection.Close()
	for {
		kind, payload, err := connection.ReadMessage()
		if closed, ok := err.(*websocket.CloseError); ok {
			tell("closed %d %s", closed.Code, encode([]byte(closed.Text)))
			return
		}
		if err != nil {
			tell("closed 1006 -")
			return
		}
		if kind == websocket.TextMessage {
			tell("text %s", encode(payload))
		} else {
			tell("binary %s", encode(payload))
		}
	}
}

func send(connection *websocket.Conn, kind int, parts [][]byte) error {
	writer, err := connection.NextWriter(kind)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := writer.Write(part); err != nil {
			return err
		}
	}
	return writer.Close()
}

func obey(connection *websocket.Conn, words []string) error {
	switch words[0] {
	case "text", "binary":
		return connection.WriteMessage(opcode(words[0]), decode(words[1]))
	case "fragments":
		parts := [][]byte{}
		for _, word := range words[2:] {
			parts = append(parts, decode(word))
		}
		return send(connection, opcode(words[1]), parts)
	case "ping":
		return connection.WriteMessage(websocket.PingMessage, decode(words[1]))
	case "close":
		code, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		frame := websocket.FormatCloseMessage(code, string(decode(words[2])))
		return connection.WriteMessage(websocket.CloseMessage, frame)
	}
	return fmt.Errorf("unknown command: %s", words[0])
}

func main() {
	var connection *websocket.Conn
	input := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			fail(err)
		}
		words := strings.Fields(line)
		if words[0] == "open" {
			connection = open(words[1], words[2], words[3])
		} else if err := obey(connection, words); err != nil {
			// The connection may have ended meanwhile; how it did is told by who reads.
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
