"""Istio's helloworld sample with a client that calls it; all documents carry their namespace.

Source: istio 1.15.7 to 1.30.3: samples/helloworld, samples/sleep, samples/curl.
"""

from extcp_manifests.builders.builder import Builder
from extcp_manifests.builders.gateways import INGRESS
from extcp_manifests.documents.kubernetes import (
    Container,
    ContainerPort,
    Deployment,
    DeploymentSpec,
    LabelSelector,
    ObjectMeta,
    PodSpec,
    PodTemplateSpec,
    ResourceRequirements,
    SecretVolumeSource,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
    Volume,
    VolumeMount,
)
from extcp_manifests.documents.networking import (
    Destination,
    Gateway,
    GatewaySpec,
    HTTPMatchRequest,
    HTTPRoute,
    Port,
    PortSelector,
    RouteDestination,
    Server,
    StringMatch,
    VirtualService,
    VirtualServiceSpec,
)
from extcp_manifests.istio.object_names import gateway_labels
from extcp_manifests.istio.releases import Release, find_release

HELLOWORLD = "helloworld"


class HelloworldService(Builder[Service]):
    """The Service of helloworld, the same in every cluster."""

    namespace: str = "sample"

    def _document(self) -> Service:
        return _service(HELLOWORLD, self.namespace, 5000)


class HelloworldDeployment(Builder[Deployment]):
    """One version of helloworld."""

    release: Release | str
    version: str
    namespace: str = "sample"
    hub: str | None = None
    """The registry of the image; None for the one of the release."""

    def _document(self) -> Deployment:
        release = find_release(self.release)
        images = release.images if self.hub is None else self.hub
        return _deployment(
            f"{HELLOWORLD}-{self.version}",
            self.namespace,
            {"app": HELLOWORLD, "version": self.version},
            PodSpec(
                containers=(
                    Container(
                        name=HELLOWORLD,
                        image=release.helloworld_image.format(images=images, version=self.version),
                        imagePullPolicy="IfNotPresent",
                        resources=ResourceRequirements(requests={"cpu": "100m"}),
                        ports=(ContainerPort(containerPort=5000),),
                    ),
                )
            ),
            labelled=True,
        )


class ClientServiceAccount(Builder[ServiceAccount]):
    """The account of the client: sleep, or curl from 1.24."""

    release: Release | str
    namespace: str = "sample"

    def _document(self) -> ServiceAccount:
        return ServiceAccount(metadata=ObjectMeta(name=find_release(self.release).client, namespace=self.namespace))


class ClientService(Builder[Service]):
    """The Service of the client: sleep, or curl from 1.24."""

    release: Release | str
    namespace: str = "sample"

    def _document(self) -> Service:
        return _service(find_release(self.release).client, self.namespace, 80)


class ClientDeployment(Builder[Deployment]):
    """The client, a pod in which curl waits to be called: sleep, or curl from 1.24."""

    release: Release | str
    namespace: str = "sample"

    def _document(self) -> Deployment:
        release = find_release(self.release)
        name = release.client
        return _deployment(
            name,
            self.namespace,
            {"app": name},
            PodSpec(
                terminationGracePeriodSeconds=0,
                serviceAccountName=name,
                containers=(
                    Container(
                        name=name,
                        image=release.client_image,
                        command=("/bin/sleep", "infinity"),
                        imagePullPolicy="IfNotPresent",
                        volumeMounts=(VolumeMount(name="secret-volume", mountPath=f"/etc/{name}/tls"),),
                    ),
                ),
                volumes=(
                    Volume(name="secret-volume", secret=SecretVolumeSource(secretName=f"{name}-secret", optional=True)),
                ),
            ),
        )


class HelloworldGateway(Builder[Gateway]):
    """Lets requests for helloworld in through the mesh's ingress gateway."""

    release: Release | str
    namespace: str = "sample"

    def _document(self) -> Gateway:
        return Gateway(
            apiVersion=find_release(self.release).sample_api_version,
            metadata=ObjectMeta(name="helloworld-gateway", namespace=self.namespace),
            spec=GatewaySpec(
                selector={"istio": gateway_labels(INGRESS)["istio"]},
                servers=(Server(port=Port(number=80, name="http", protocol="HTTP"), hosts=("*",)),),
            ),
        )


class HelloworldVirtualService(Builder[VirtualService]):
    """Routes `/hello` from that gateway to helloworld."""

    release: Release | str
    namespace: str = "sample"

    def _document(self) -> VirtualService:
        destination = Destination(host=HELLOWORLD, port=PortSelector(number=5000))
        return VirtualService(
            apiVersion=find_release(self.release).sample_api_version,
            metadata=ObjectMeta(name=HELLOWORLD, namespace=self.namespace),
            spec=VirtualServiceSpec(
                hosts=("*",),
                gateways=("helloworld-gateway",),
                http=(
                    HTTPRoute(
                        match=(HTTPMatchRequest(uri=StringMatch(exact="/hello")),),
                        route=(RouteDestination(destination=destination),),
                    ),
                ),
            ),
        )


def _service(name: str, namespace: str, port: int) -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace=namespace, labels={"app": name, "service": name}),
        spec=ServiceSpec(ports=(ServicePort(name="http", port=port),), selector={"app": name}),
    )


def _deployment(
    name: str, namespace: str, labels: dict[str, str], pod: PodSpec, *, labelled: bool = False
) -> Deployment:
    return Deployment(
        metadata=ObjectMeta(name=name, namespace=namespace, labels=labels if labelled else None),
        spec=DeploymentSpec(
            replicas=1,
            selector=LabelSelector(matchLabels=labels),
            template=PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=pod),
        ),
    )
