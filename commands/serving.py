"""The verb of the service: serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.terminal import DeviceOption, HomeOption
from errors import DependencyError, InputError
from home import home_folder

app = typer.Typer()


@app.command(rich_help_panel="Keeping")
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; others than loopback need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Bearer token to ask for.", show_default="WHYDX_TOKEN"),
    ] = None,
    host_name: Annotated[
        list[str] | None, typer.Option("--host-name", metavar="NAME", help="A name it may be called by; repeatable.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="https://HOST", help="A site whose pages may ask (CORS); repeatable."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that diagnose.")] = 1,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads of each.", show_default="cores / workers")
    ] = None,
    queue: Annotated[int, typer.Option("--queue", min=0, max=1000, help="Requests that may wait for a worker.")] = 8,
    seconds: Annotated[float, typer.Option("--timeout", min=1, help="Most seconds a diagnosis may take.")] = 60,
    upload: Annotated[float, typer.Option("--upload-timeout", min=1, help="Most seconds to send a request.")] = 30,
    drain: Annotated[float, typer.Option("--drain", min=1, help="Most seconds to finish what was taken.")] = 90,
    megabytes: Annotated[int, typer.Option("--max-mb", min=1, max=4096, help="Largest request, MiB.")] = 64,
    images: Annotated[int, typer.Option("--max-images", min=1, max=64, help="Most images of one request.")] = 8,
    memory: Annotated[
        int, typer.Option("--memory", min=256, help="MiB that a worker may take beside the shared model.")
    ] = 3000,
    dicom_port: Annotated[
        int | None, typer.Option("--dicom-port", min=1, max=65535, help="Take DICOM images, too.", show_default="off")
    ] = None,
    dicom_title: Annotated[str, typer.Option("--dicom-title", metavar="AET", help="AE title of the listener.")] = (
        "WHYDX"
    ),
    dicom_to: Annotated[
        str | None, typer.Option("--dicom-to", metavar="AET@HOST:PORT", help="The node that gets the SR.")
    ] = None,
    dicom_peer: Annotated[
        list[str] | None, typer.Option("--dicom-peer", metavar="AET", help="An AE title that may send; repeatable.")
    ] = None,
    identified: Annotated[bool, typer.Option("--identified", help="The SR to the node names the patient.")] = False,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Answer over HTTP, CDS Hooks and, if asked to, DICOM, from one model in memory; SIGTERM lets it finish first."""
    import os

    try:
        from commands.serve.run import run
        from commands.serve.settings import DicomSettings, Node, Settings, ae_title, token
    except ImportError as error:
        raise DependencyError(
            f"the service needs {error.name}", expected="the extra serve", run="pip install 'whydx[serve]'"
        ) from error
    dicom = None
    if dicom_port is not None:
        if dicom_to is None:
            raise InputError("the listener needs a node that gets the SR", expected="--dicom-to AET@HOST:PORT")
        dicom = DicomSettings(
            port=dicom_port,
            title=ae_title(dicom_title),
            node=Node.of(dicom_to),
            peers=tuple(ae_title(peer) for peer in dicom_peer or ()),
            identified=identified,
        )
    elif dicom_to is not None or dicom_peer or identified:
        raise typer.BadParameter("only with --dicom-port", param_hint="--dicom-port")
    settings = Settings(
        home=home_folder(home),
        host=host,
        port=port,
        token=token(token_file),
        hosts=tuple(host_name or ()),
        origins=tuple(origin or ()),
        device=device,
        workers=workers,
        threads=threads or max(1, (os.cpu_count() or 1) // workers),
        queue=queue,
        seconds=seconds,
        upload_seconds=upload,
        drain_seconds=drain,
        megabytes=megabytes,
        images=images,
        memory=memory,
        dicom=dicom,
    )
    run(settings)
