"""What Schemathesis has to know: what an address is, and which answers are a server's fault.

Its own check `not_a_server_error` goes by the names that other servers give their errors, and takes LIMIT_EXCEEDED and
NOT_FOUND beside a path for faults of the server.
"""

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

schemathesis.graphql.scalar("URL", st.sampled_from(["https://crm.example.com", "http://127.0.0.1:1", "x", ""]).map(nodes.String))


@schemathesis.check
def not_the_servers_fault(ctx, response, case):
    assert response.status_code < 500, f"answered with {response.status_code}"
    if response.status_code == 200:
        for error in response.json().get("errors", []):
            assert error["extensions"]["code"] != "INTERNAL", error
    else:
        assert response.json()["errors"], "refused without a reason"
