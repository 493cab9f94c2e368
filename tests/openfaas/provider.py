"""Stands in for faas-netes: the API that the gateway and faas-cli use, with real watchdogs for pods.

As faas-netes and Kubernetes do it: a deployment is taken at once and rolled out afterwards, a new replica before an old
one leaves; a replica gets calls while its /_/health is well; one that is to leave gets none, then SIGTERM, and SIGKILL
after 30 seconds; one that has ended is started again. Where there is no replica the answer is 503, and 502 where it
can't be reached.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.hosts.network import Network
from tests.openfaas.replicas import Replica

PROBE_SECONDS = 0.25
GRACE_SECONDS = 30.0
"""What the Community Edition gives a pod to end."""
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host"}
NAMESPACE = "openfaas-fn"


@dataclass
class Deployment:
    """A function as it is to be, and its replicas."""

    asked: dict[str, Any]
    wanted: int
    generation: int = 1
    replicas: list[Replica] = field(default_factory=list)
    """Those that are not told to leave."""
    turns: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def ready(self) -> list[Replica]:
        """Those that get calls."""
        return [each for each in self.replicas if each.ready]

    @property
    def is_settled(self) -> bool:
        """Whether everything is as it was asked for."""
        current = [each for each in self.ready if each.generation == self.generation]
        return len(current) == len(self.replicas) == self.wanted

    def status(self) -> dict[str, Any]:
        """What faas-netes tells of it."""
        told = {key: value for key, value in self.asked.items() if key != "service"}
        return told | {
            "name": self.asked["service"],
            "namespace": NAMESPACE,
            "replicas": self.wanted,
            "availableReplicas": len(self.ready),
        }


class Provider:
    """The provider; its loop runs in a thread of its own, and may be away for a while."""

    def __init__(self, network: Network, port: int, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Nothing runs yet.

        Args:
            secrets: those that there are, each with its files.
        """
        self.functions: dict[str, Deployment] = {}
        self.secrets = {name: dict(files) for name, files in secrets.items()}
        self.address = (network.gateway, port)
        self._network = network
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """As the gateway takes it."""
        return "http://{}:{}/".format(*self.address)

    def open(self) -> None:
        """Begin."""
        self._thread.start()
        self.come_back()
        self._call(self._begin(self._watch))

    def close(self) -> None:
        """End; the network ends the replicas."""
        self.go_away()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def go_away(self) -> None:
        """Answer nobody, and cut off whatever is in flight; replicas go on."""
        self._call(self._cut_off())

    def come_back(self) -> None:
        """Answer again."""
        self._call(self._serve())

    def scale(self, name: str, wanted: int) -> None:
        """Change the number of replicas without the gateway, as KEDA does."""
        self.functions[name].wanted = wanted

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _begin(self, coroutine: Callable[..., Any], *arguments: Any) -> None:
        task = asyncio.ensure_future(coroutine(*arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self) -> None:
        app = web.Application(client_max_size=0)
        app.cleanup_ctx.append(self._with_session)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/api/v1/query", self._metrics),
                web.get("/system/info", self._info),
                web.get("/system/namespaces", self._namespaces),
                web.get("/system/functions", self._list),
                web.post("/system/functions", self._deploy),
                web.put("/system/functions", self._deploy),
                web.delete("/system/functions", self._delete),
                web.get("/system/function/{name}", self._status),
                web.post("/system/scale-function/{name}", self._scale),
                web.get("/system/secrets", self._list_secrets),
                web.post("/system/secrets", self._add_secret),
                web.route("*", "/function/{name}{rest:(/.*)?}", self._proxy),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self.address, reuse_address=True).start()

    async def _cut_off(self) -> None:
        assert self._runner is not None
        server = self._runner.server
        await self._runner.cleanup()
        await asyncio.sleep(0.1)
        assert server is not None
        await server.shutdown(0)  # who came in between

    async def _with_session(self, _app: web.Application) -> AsyncIterator[None]:
        connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as self._session:
            yield

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _metrics(self, _request: web.Request) -> web.Response:
        """As a Prometheus that knows nothing yet: without one the gateway breaks off the list of functions."""
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})

    async def _info(self, _request: web.Request) -> web.Response:
        return web.json_response({"provider": "tests", "orchestration": "processes", "version": {"release": "1"}})

    async def _namespaces(self, _request: web.Request) -> web.Response:
        return web.json_response([NAMESPACE])

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response([each.status() for each in self.functions.values()])

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(self._found(request).status())

    async def _deploy(self, request: web.Request) -> web.Response:
        asked = await _json(request)
        if missing := [name for name in asked.get("secrets", []) if name not in self.secrets]:
            raise web.HTTPBadRequest(text=f"secrets that are not there: {', '.join(missing)}")
        name, least = asked["service"], int((asked.get("labels") or {}).get("com.openfaas.scale.min", "1"))
        known = self.functions.get(name)
        if request.method == "PUT":
            if known is None:
                raise web.HTTPNotFound(text=f"there is no {name}")
            known.asked, known.generation = asked, known.generation + 1
        else:
            self.functions[name] = Deployment(asked, least)
        return web.Response(status=202)

    async def _delete(self, request: web.Request) -> web.Response:
        deployment = self.functions.pop((await _json(request))["functionName"], None)
        for replica in deployment.replicas if deployment else []:
            await self._begin(self._retire, replica)
        return web.Response(status=202 if deployment else 404)

    async def _scale(self, request: web.Request) -> web.Response:
        self._found(request).wanted = int((await _json(request))["replicas"])
        return web.Response(status=202)

    async def _list_secrets(self, _request: web.Request) -> web.Response:
        return web.json_response([{"name": name, "namespace": NAMESPACE} for name in self.secrets])

    async def _add_secret(self, request: web.Request) -> web.Response:
        """As faas-cli makes it: its one file has its own name."""
        asked = await _json(request)
        self.secrets[asked["name"]] = {asked["name"]: asked["value"]}
        return web.Response(status=202)

    def _found(self, request: web.Request) -> Deployment:
        name = request.match_info["name"].partition(".")[0]
        if name not in self.functions:
            raise web.HTTPNotFound(text=f"there is no {name}")
        return self.functions[name]

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        """Stream a call to a replica, and its answer back."""
        deployment = self._found(request)
        if not (ready := deployment.ready):
            raise web.HTTPServiceUnavailable(text="no replica is ready")
        replica = ready[next(deployment.turns) % len(ready)]
        path = request.rel_url.raw_path_qs.removeprefix(f"/function/{request.match_info['name']}") or "/"
        body = request.content if request.can_read_body else None
        started: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method,
                URL(replica.url + path, encoded=True),
                headers=_kept(request.headers),
                data=body,
                allow_redirects=False,
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
            ) as answer:
                started = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_kept(answer.headers))
                started.content_length = answer.content_length
                await started.prepare(request)
                async for piece in answer.content.iter_any():
                    await started.write(piece)
                return started
        except aiohttp.ClientError as error:
            if started is not None and started.prepared:
                raise
            raise web.HTTPBadGateway(text=f"can't reach the replica: {error!r}") from error

    async def _watch(self) -> None:
        """Make everything as it was asked for, again and again."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while True:
                for deployment in list(self.functions.values()):
                    await self._look(session, deployment)
                    await self._step(deployment)
                await asyncio.sleep(PROBE_SECONDS)

    async def _look(self, session: aiohttp.ClientSession, deployment: Deployment) -> None:
        for replica in deployment.replicas:
            if not replica.is_alive:
                replica.kill()
                replica.start(deployment.asked, self._files(deployment))
            try:
                async with session.get(f"{replica.url}/_/health") as answer:
                    replica.ready = answer.ok
            except (aiohttp.ClientError, TimeoutError):
                replica.ready = False

    async def _step(self, deployment: Deployment) -> None:
        """Add a replica that is wanted; let one go that is old or too many, as soon as nobody misses it."""
        current = [each for each in deployment.replicas if each.generation == deployment.generation]
        old = [each for each in deployment.replicas if each.generation != deployment.generation]
        starting = len(current) - sum(each.ready for each in current)
        if len(current) < deployment.wanted and (not old or starting == 0):
            host = await asyncio.to_thread(self._network.add, f"r{len(self._network.hosts)}")
            replica = Replica(host, deployment.generation)
            replica.start(deployment.asked, self._files(deployment))
            deployment.replicas.append(replica)
        elif old and (len(deployment.replicas) > deployment.wanted and starting == 0):
            await self._let_go(deployment, old[0])
        elif len(current) > deployment.wanted:
            await self._let_go(deployment, current[-1])

    def _files(self, deployment: Deployment) -> dict[str, str]:
        names = deployment.asked.get("secrets") or []
        return {file: value for name in names for file, value in self.secrets[name].items()}

    async def _let_go(self, deployment: Deployment, replica: Replica) -> None:
        deployment.replicas.remove(replica)
        await self._begin(self._retire, replica)

    async def _retire(self, replica: Replica) -> None:
        replica.tell_to_leave()
        for _ in range(int(GRACE_SECONDS / PROBE_SECONDS)):
            await asyncio.sleep(PROBE_SECONDS)
            if not replica.is_alive:
                break
        replica.kill()


async def _json(request: web.Request) -> dict[str, Any]:
    """The body; faas-cli names no media type."""
    read: dict[str, Any] = json.loads(await request.content.read())
    return read


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
