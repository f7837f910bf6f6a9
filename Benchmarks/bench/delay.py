"""A proxy in user space that makes of loopback a link with a round-trip time, and counts the round trips of what crosses it.

TCP's handshake takes its time too: what the client says first arrives one and a half round trips after it began to connect, as it
does on a real link, although the proxy itself is connected to at once.
"""

import asyncio
import threading


class Connection:
    """How many times the link was crossed, one crossing after the other, before either end could say what it said last: a Lamport
    clock. It does not depend on how long anything took."""

    def __init__(self):
        # Bytes that the client sent.
        self.sent = 0
        # SYN and its answer; and then the client's acknowledgement, which may bring its first words.
        self.client, self.server = 2, 3

    @property
    def round_trips(self):
        return self.client / 2


class Link:
    """A port of its own for each host: `hosts` are names and addresses, `rtt` is in seconds. Runs in a thread."""

    def __init__(self, hosts, rtt):
        self.rtt = rtt
        # The connection is cut after so many bytes from the client; None for never.
        self.limit = None
        self.ports = {}
        self.connections = {}
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._listen(hosts))
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def reset(self):
        self.connections.clear()

    def round_trips(self):
        """Of the host that took the most."""
        return max(sum(c.round_trips for c in every) for every in list(self.connections.values()))

    async def _listen(self, hosts):
        for host, address in hosts.items():
            server = await asyncio.start_server(
                lambda reader, writer, host=host, address=address: self._connect(host, address, reader, writer), "127.0.0.1", 0
            )
            self.ports[host] = server.sockets[0].getsockname()[1]

    async def _connect(self, host, address, reader, writer):
        connection = Connection()
        self.connections.setdefault(host, []).append(connection)
        established = self.loop.time() + 1.5 * self.rtt
        await asyncio.sleep(1.5 * self.rtt)
        try:
            far_reader, far_writer = await asyncio.open_connection(address, 22)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._carry(reader, far_writer, writer, connection, "client", "server", established),
            self._carry(far_reader, writer, far_writer, connection, "server", "client", 0),
        )

    async def _carry(self, reader, writer, far, connection, source, target, earliest):
        """Each piece arrives half a round trip after it was sent, however many are on the way."""
        on_the_way = asyncio.Queue()

        async def deliver():
            while True:
                due, clock, data = await on_the_way.get()
                if (wait := due - self.loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not data:
                    writer.close()
                    return
                setattr(connection, target, max(getattr(connection, target), clock))
                writer.write(data)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        try:
            while True:
                data = await reader.read(1 << 16)
                if source == "client":
                    connection.sent += len(data)
                    if self.limit and connection.sent > self.limit:
                        delivery.cancel()
                        far.transport.abort()
                        writer.transport.abort()
                        return
                clock = getattr(connection, source) + 1
                on_the_way.put_nowait((max(self.loop.time() + self.rtt / 2, earliest), clock, data))
                if not data:
                    break
            await delivery
        except OSError:
            delivery.cancel()
            writer.close()
