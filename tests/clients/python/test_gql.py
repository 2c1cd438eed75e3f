"""The Python package `gql` against the server at COUNTERPART_URL, with the token COUNTERPART_TOKEN."""

import io
import os
import unittest
from pathlib import Path

from gql import Client, FileVar, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

URL = os.environ["COUNTERPART_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['COUNTERPART_TOKEN']}"}
DOCUMENTS = Path(__file__).parent.parent / "documents"
HEADER = (
    "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,"
    "Configuration Profile,Manager Of,Licenses,Status,Suspended At,Operation"
)


def request(*names, **variables):
    text = "\n".join((DOCUMENTS / f"{name}.graphql").read_text() for name in names)
    return GraphQLRequest(text, variable_values=variables)


def users_file(prefix, count):
    rows = [f"{prefix}{at}@python.example,Zoë,Number {at},,,,,,,,,,Add" for at in range(count)]
    return io.BytesIO("\r\n".join([HEADER, *rows, ""]).encode())


def websocket(headers=None):
    # The protocol is named because `gql` looks for the server's choice under a header's name in one spelling only.
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    return WebsocketsTransport(url=URL.replace("http", "ws"), init_payload=headers or HEADERS, subprotocols=protocols)


class Gql(unittest.IsolatedAsyncioTestCase):
    def test_httpx_asks_with_the_schema_at_hand(self):
        client = Client(transport=HTTPXTransport(url=URL, headers=HEADERS), fetch_schema_from_transport=True)
        answer = client.execute(request("users", "mapping", first=3))
        self.assertEqual(len(answer["users"]["nodes"]), 3)
        # The schema that it has fetched knows what is wrong before the server is asked.
        with self.assertRaisesRegex(Exception, "nonsense"):
            client.execute(GraphQLRequest("{ nonsense }"))

    async def test_aiohttp_asks(self):
        async with Client(transport=AIOHTTPTransport(url=URL, headers=HEADERS)) as session:
            answer = await session.execute(request("users", "mapping", first=3))
            self.assertEqual(len(answer["users"]["nodes"]), 3)
            with self.assertRaises(TransportQueryError) as refused:
                await session.execute(GraphQLRequest("{ nonsense }"))
            self.assertIn("nonsense", refused.exception.errors[0]["message"])

    async def test_httpx_is_told_that_the_token_is_bad(self):
        transport = HTTPXAsyncTransport(url=URL, headers={"Authorization": "Bearer cpt_nonsense"})
        async with Client(transport=transport) as session:
            with self.assertRaises((TransportQueryError, TransportServerError)) as refused:
                await session.execute(GraphQLRequest("{ viewer { role } }"))
            self.assertRegex(str(refused.exception), "UNAUTHENTICATED|401")

    def test_httpx_uploads_a_file(self):
        client = Client(transport=HTTPXTransport(url=URL, headers=HEADERS))
        self.uploaded(client.execute(self.upload("httpx"), upload_files=True))

    async def test_aiohttp_uploads_a_file(self):
        async with Client(transport=AIOHTTPTransport(url=URL, headers=HEADERS)) as session:
            self.uploaded(await session.execute(self.upload("aiohttp"), upload_files=True))

    async def test_websockets_asks_and_watches(self):
        async with Client(transport=websocket()) as session:
            answer = await session.execute(request("users", "mapping", first=3))
            self.assertEqual(len(answer["users"]["nodes"]), 3)
            made = Client(transport=HTTPXAsyncTransport(url=URL, headers=HEADERS))
            async with made as other:
                answer = await other.execute(self.upload("watched", 2_000), upload_files=True)
            job = answer["importUsers"]["importJob"]["id"]
            steps = [step["importProgress"] async for step in session.subscribe(request("import-progress", id=job))]
            self.assertGreater(len(steps), 1)
            self.assertEqual(steps[-1]["status"], "COMPLETED")
            self.assertEqual(steps[-1]["created"], 2_000)

    async def test_websockets_is_told_that_the_token_is_bad(self):
        with self.assertRaises(TransportConnectionFailed) as refused:
            async with Client(transport=websocket({"Authorization": "Bearer cpt_nonsense"})):
                pass
        self.assertIn("4403", str(refused.exception.__cause__))

    def upload(self, prefix, count=3):
        return request("import-users", file=FileVar(users_file(prefix, count), filename=f"{prefix}.csv", content_type="text/csv"))

    def uploaded(self, answer):
        self.assertEqual(answer["importUsers"]["userErrors"], [])
        self.assertTrue(answer["importUsers"]["importJob"]["id"])


if __name__ == "__main__":
    unittest.main()
